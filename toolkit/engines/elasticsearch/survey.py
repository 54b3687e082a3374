"""Count on Elasticsearch and OpenSearch which values of an attribute would not survive a change, an aggregation a part.

A mapping cannot tell lengths, fractions or what a text spells, so a script looks at the documents as they were written.
The script is one and the same for every question; what is asked comes as its parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.compat import Spoils
from toolkit.definition import Definition
from toolkit.engines.bound import Search
from toolkit.engines.elasticsearch.layout import label
from toolkit.engines.elasticsearch.typemap import profile
from toolkit.engines.surveying import SAMPLES, SHOWN, Ask, Part, Probe

# Run ids are random UUIDs: their first digit cuts a store into equal parts, and the last part has all others.
_DIGITS = "0123456789abcdef"

_INIT = """
state.rows = 0L; state.counts = new ArrayList(); state.samples = new ArrayList();
for (int i = 0; i < params.probes.size(); i++) { state.counts.add(0L); state.samples.add(new ArrayList()); }
"""
_MAP = """
boolean number(String s) {
  if (s.isEmpty() || !(Character.isDigit(s.charAt(s.length() - 1)) || s.endsWith('.'))) return false;
  try { double n = Double.parseDouble(s); return true; } catch (NumberFormatException e) { return false; }
}
boolean whole(String s) {
  try { BigInteger n = new BigInteger(s); return true; } catch (NumberFormatException e) { return false; }
}
boolean spelled(String s) {
  // Shorter forms, small letters and names of zones are none to a mapping of times.
  if (s.length() < 20 || s.charAt(10) != (char) 'T' || s.charAt(16) != (char) ':') return false;
  if (s.endsWith('z') || s.endsWith(']')) return false;
  try { ZonedDateTime z = ZonedDateTime.parse(s); return true; } catch (DateTimeException e) { return false; }
}
long bytes(String s) {
  long n = 0;
  for (int i = 0; i < s.length(); i++) {
    int c = (int) s.charAt(i);
    n += c < 0x80 ? 1 : c < 0x800 || (c >= 0xD800 && c < 0xE000) ? 2 : 3;
  }
  return n;
}
boolean beyond(String s, Map t) {
  try {
    BigDecimal n = new BigDecimal(s);
    return n.compareTo(new BigDecimal(t.low)) < 0 || n.compareTo(new BigDecimal(t.high)) > 0;
  } catch (NumberFormatException e) { return false; }
}
boolean text(String s, Map t) {
  String k = t.kind;
  if (k == 'longer') return s.codePointCount(0, s.length()) > t.limit;
  if (k == 'heavier') return bytes(s) > t.limit;
  if (k == 'no_number') return !number(s);
  if (k == 'no_whole') return !whole(s);
  if (k == 'no_bool') return s != 'true' && s != 'false';
  if (k == 'no_time') return !spelled(s);
  if (k == 'outside') return number(s) && beyond(s.trim(), t);
  if (k == 'holds') return s.contains(t.sign);
  if ((k == 'finer_time' || k == 'time_outside') && spelled(s)) {
    ZonedDateTime z = ZonedDateTime.parse(s);
    if (k == 'finer_time') return z.getNano() % t.limit != 0;
    BigDecimal n = BigDecimal.valueOf(z.toEpochSecond()).multiply(BigDecimal.valueOf(1000000000L));
    n = n.add(BigDecimal.valueOf((long) z.getNano()));
    return n.compareTo(new BigDecimal(t.low)) < 0 || n.compareTo(new BigDecimal(t.high)) > 0;
  }
  return false;
}
boolean numeric(BigDecimal n, Map t) {
  String k = t.kind;
  if (k == 'broken') return n.remainder(BigDecimal.ONE).signum() != 0;
  if (k == 'outside') return beyond(n.toString(), t);
  if (k == 'finer') return n.stripTrailingZeros().scale() > t.limit;
  if (k == 'inexact') {
    BigInteger all = n.toBigInteger().abs();
    return all.signum() != 0 && all.bitLength() - all.getLowestSetBit() > 53;
  }
  if (k == 'other_than_bit') return n.compareTo(BigDecimal.ZERO) != 0 && n.compareTo(BigDecimal.ONE) != 0;
  return false;
}
boolean hit(def value, Map t) {
  if (t.kind == 'every') return true;
  if (t.kind == 'not_one') return value instanceof List && value.size() != 1;
  List all = value instanceof List ? value : [value];
  for (def e : all) {
    if (e instanceof String && text(e, t)) return true;
    if (e instanceof Number && numeric(new BigDecimal(e.toString()), t)) return true;
  }
  return false;
}
state.rows += 1;
Map source = params['_source'];
if (params.inside != '') source = source.containsKey(params.inside) ? source.get(params.inside) : [:];
for (int i = 0; i < params.probes.size(); i++) {
  Map probe = params.probes.get(i);
  def value = source.get(probe.member);
  if (value == null) continue;
  boolean any = false;
  for (def t : probe.tests) { if (hit(value, t)) { any = true; break; } }
  if (!any) continue;
  state.counts.set(i, state.counts.get(i) + 1L);
  List kept = state.samples.get(i);
  if (kept.size() < params.samples) {
    String s = value.toString();
    boolean cut = s.codePointCount(0, s.length()) > params.shown;
    kept.add(cut ? s.substring(0, s.offsetByCodePoints(0, params.shown)) : s);
  }
}
"""
_REDUCE = """
long rows = 0; List counts = new ArrayList(); List samples = new ArrayList();
for (int i = 0; i < params.probes.size(); i++) { counts.add(0L); samples.add(new ArrayList()); }
for (s in states) {
  if (s == null) continue;
  rows += s.rows;
  for (int i = 0; i < params.probes.size(); i++) {
    counts.set(i, counts.get(i) + s.counts.get(i));
    samples.get(i).addAll(s.samples.get(i));
  }
}
return ['rows': rows, 'counts': counts, 'samples': samples];
"""


def parts(ask: Ask, definition: Definition, probes: Sequence[Probe], rows: int) -> Iterator[Part]:
    """See `Survey.parts`. The number of parts is fixed, for a search engine has no cheap way to cut at a place."""
    layout = profile().layout(label(definition))
    run = layout.member("RunId")
    digits = [{"prefix": {run: {"value": digit}}} for digit in _DIGITS]
    others: Mapping[str, Any] = {"bool": {"must_not": digits}}
    for query in (*digits, others):
        [answer] = ask(Search("_search", _body(query, probes, layout.inside, layout.member)))
        found = answer["aggregations"]["survey"]["value"]
        if found:
            counts = tuple(int(number) for number in found["counts"])
            samples = tuple(tuple(dict.fromkeys(s))[:SAMPLES] for s in found["samples"])
            yield Part(int(found["rows"]), counts, samples)


def _body(query: Mapping[str, Any], probes: Sequence[Probe], inside: str, member: Any) -> Mapping[str, Any]:
    asked = [{"member": member(p.attribute), "tests": [_test(spoils) for spoils in p.spoils]} for p in probes]
    scripts = {"init_script": _INIT, "map_script": _MAP, "combine_script": "return state;", "reduce_script": _REDUCE}
    parameters = {"probes": asked, "inside": inside, "samples": SAMPLES, "shown": SHOWN}
    metric = {"scripted_metric": {**scripts, "params": parameters}}
    return {"size": 0, "track_total_hits": False, "query": query, "aggs": {"survey": metric}}


def _test(spoils: Spoils) -> Mapping[str, Any]:
    """Bounds as text, which keeps all their digits."""
    bounds = {"low": str(spoils.low), "high": str(spoils.high)}
    return {"kind": spoils.kind.value, "limit": spoils.limit, "sign": spoils.sign, **bounds}
