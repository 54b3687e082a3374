"""How the page of a plan looks, by light and in the dark. Text only."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --page: #ffffff; --card: #f6f7f9; --line: #d9dde3; --text: #1c2330; --soft: #5a6577; --code: #eef0f4;
  --metadata: #7a869a; --online: #1f8a5b; --rebuild: #2f6fd0; --breaking: #c0392b; --waits: #d9822b;
  --disk: #8a63c9; --bad: #b3261e; --on: #ffffff; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12161d; --card: #1a2029; --line: #323b49; --text: #e6eaf0; --soft: #9aa6b8; --code: #222a35;
  --metadata: #8592a8; --online: #3fb982; --rebuild: #5b97f5; --breaking: #ef6a5b; --waits: #f0a04b;
  --disk: #a98be4; --bad: #ff8a80; --on: #10141a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 28px 24px 64px; max-width: 1180px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; overflow-wrap: anywhere; } h2 { font-size: 17px; margin: 30px 0 10px; }
p { margin: 4px 0; } .soft { color: var(--soft); }
section + section { margin-top: 56px; border-top: 2px solid var(--line); padding-top: 28px; }
.sums { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 12px; margin: 18px 0; }
.sums div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.sums dt { color: var(--soft); font-size: 13px; } .sums dd { margin: 2px 0 0; font-weight: 600; }
.sums { padding: 0; } .wide { overflow-x: auto; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px; }
svg { display: block; width: 100%; min-width: 860px; height: auto; font-size: 12.5px; font-family: inherit; }
svg text { fill: var(--text); } svg text.tick { fill: var(--soft); font-size: 11.5px; } svg text.on { fill: var(--on); }
.row { fill: transparent; } g:hover > .row { fill: var(--line); opacity: .45; }
.axis { stroke: var(--soft); } .grid { stroke: var(--line); } .lane { fill: var(--page); stroke: var(--line); }
.bar.metadata, .key.metadata { fill: var(--metadata); background: var(--metadata); }
.bar.online, .key.online { fill: var(--online); background: var(--online); }
.bar.rebuild, .key.rebuild { fill: var(--rebuild); background: var(--rebuild); }
.bar.breaking, .key.breaking { fill: var(--breaking); background: var(--breaking); }
.bar.unknown { fill: url(#hatch); stroke: var(--soft); } .hatch { fill: var(--soft); }
.waits, .key.waits { fill: var(--waits); background: var(--waits); }
.moment { fill: var(--waits); } .disk { fill: var(--disk); opacity: .75; }
figcaption { color: var(--soft); font-size: 13px; padding: 6px 8px 2px; 
  display: flex; flex-wrap: wrap; gap: 4px 18px; }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; vertical-align: -1px; }
.key.unknown { border: 1px solid var(--soft); 
  background: repeating-linear-gradient(45deg, var(--soft) 0 2px, transparent 2px 4px); }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 7px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td .why { color: var(--soft); font-size: 13px; }
.class { white-space: nowrap; }
details { border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; background: var(--card); }
summary { cursor: pointer; padding: 9px 14px; font-weight: 600; } details > div { padding: 0 14px 12px; }
pre { background: var(--code); padding: 10px 12px; border-radius: 6px; overflow: auto; max-height: 420px;
  margin: 8px 0;
  font: 12.5px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
code { font: 13px ui-monospace, Menlo, Consolas, monospace;
  background: var(--code); padding: 1px 4px; border-radius: 4px; }
ul.problems { padding-left: 0; list-style: none; } ul.problems li { padding: 8px 14px; margin: 6px 0;
  background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--waits); border-radius: 6px; }
ul.problems li.fatal { border-left-color: var(--bad); } li.fatal b { color: var(--bad); }
footer { color: var(--soft); font-size: 13px; margin-top: 40px; }
@media print { details > div { display: block; } body { max-width: none; } }
"""
