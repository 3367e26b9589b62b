"""The style sheet of the HTML reports: of the fault runner and of the benchmarks."""

STYLE = """
:root { color-scheme: light dark; --paper: #f4f6f3; --card: #fff; --mist: #e5ebe7; --line: #cdd7d2;
  --ink: #1c2b2a; --soft: #52625f; --pine: #1f4a3e; --blue: #2a5f8f; --tomato: #b3361f;
  --tomato-wash: #fbe9e4; --moss: #2f5f2c; --moss-wash: #e2eedc; --fault: #e8b84a;
  --rest: #f3dda4; }
@media (prefers-color-scheme: dark) { :root { --paper: #141d1c; --card: #1c2826; --mist: #243330;
  --line: #354743; --ink: #edf2ee; --soft: #a9b9b4; --pine: #8fc7b1; --blue: #8fc0ea;
  --tomato: #ff9c86; --tomato-wash: #3b221d; --moss: #a9d69f; --moss-wash: #22342a;
  --fault: #8a6a1e; --rest: #54431a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 16px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 78rem; margin: 0 auto; padding: clamp(1rem, 4vw, 3rem); }
h1, h2 { font-family: "Iowan Old Style", Palatino, Georgia, serif; font-weight: 400;
  line-height: 1.15; margin: 0; text-wrap: balance; }
h1 { font-size: clamp(1.8rem, 1.3rem + 2.4vw, 3rem); }
h2 { font-size: clamp(1.3rem, 1.1rem + 1vw, 1.8rem); margin: 2.6rem 0 .8rem; }
p { margin: .5rem 0; max-width: 68ch; }
.soft, small { color: var(--soft); }
code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--mist);
  padding: .1em .35em; border-radius: 5px; overflow-wrap: anywhere; }
.mark { display: inline-block; font-weight: 600; font-size: .82rem; padding: .1rem .6rem;
  border-radius: 99px; white-space: nowrap; }
.green { background: var(--moss-wash); color: var(--moss); }
.red { background: var(--tomato-wash); color: var(--tomato); }
.not-run { background: var(--mist); color: var(--soft); }
.tiles { display: grid; gap: .75rem; margin: 1.6rem 0 0; padding: 0;
  grid-template-columns: repeat(auto-fill, minmax(9.2rem, 1fr)); }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .8rem .95rem; display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.tile dd { margin: 0; font-size: 1.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile dt { color: var(--soft); font-size: .86rem; line-height: 1.3; }
.tile.bad dd { color: var(--tomato); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; padding: .6rem; }
.wide:focus-visible { outline: 2px solid var(--pine); outline-offset: 2px; }
svg { display: block; width: 100%; min-width: 56rem; height: auto; font: 11px ui-sans-serif,
  system-ui, sans-serif; }
svg text { fill: var(--soft); } svg .name { fill: var(--ink); font-size: 12px; }
svg .number { font-size: 10px; fill: var(--ink); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .fault { fill: var(--fault); opacity: .5; } svg .rest { fill: var(--rest); opacity: .45; }
svg .bad { fill: var(--tomato); opacity: .35; }
svg .accepted { stroke: var(--pine); } svg .finished { stroke: var(--blue); }
svg .failed { stroke: var(--tomato); }
svg path { fill: none; stroke-width: 1.4; stroke-linejoin: round; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .86rem; color: var(--soft);
  margin: .6rem 0 0; padding: 0; list-style: none; }
.key span { display: inline-block; width: .9rem; height: .9rem; border-radius: 3px;
  vertical-align: -.1rem; margin-right: .4rem; }
ol.faults { list-style: none; margin: 0; padding: 0; display: grid; gap: .7rem; }
.faults > li { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .9rem 1.1rem; }
.faults > li.is-red { border-color: var(--tomato); }
.faults h3 { font: 600 1.02rem/1.35 inherit; font-family: inherit; margin: 0; display: flex;
  flex-wrap: wrap; gap: .35rem .7rem; align-items: baseline; }
.faults h3 b { color: var(--soft); font-weight: 400; font-variant-numeric: tabular-nums; }
.faults p { margin: .25rem 0 0; }
.seen { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.4rem, 1fr));
  gap: .5rem 1rem; margin: .75rem 0 0; }
.seen div { border-top: 1px solid var(--line); padding-top: .3rem; }
.seen dt { color: var(--soft); font-size: .8rem; line-height: 1.3; }
.seen dd { margin: 0; font-variant-numeric: tabular-nums; }
.wrong { color: var(--tomato); margin: .6rem 0 0; padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
td:last-child, th:last-child { text-align: right; font-variant-numeric: tabular-nums; }
summary { cursor: pointer; }
"""
