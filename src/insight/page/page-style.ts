/** The style sheet of the page; colours of both schemes have a contrast of 4.5:1 or more. */
export const PAGE_STYLE = `:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--faint:#59636e;--line:#d1d9e0;--soft:#f4f6f8;--link:#0550ae;
--ran:#0b5a9e;--cached:#116329;--failed:#b3151f;--canceled:#7a4b00;--waiting:#59636e;--mark:#fff3a3}
@media(prefers-color-scheme:dark){:root{--back:#10141a;--text:#e6edf3;--faint:#9aa7b4;--line:#343d47;--soft:#1a2029;--link:#79b8ff;
--ran:#79b8ff;--cached:#6fd08c;--failed:#ff8a85;--canceled:#e3b35a;--waiting:#9aa7b4;--mark:#5a4b00}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:80rem;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif;
overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
code,pre,.source,svg text{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:13px}
pre{margin:.3rem 0;padding:.5rem;background:var(--soft);overflow:auto;max-height:24rem;white-space:pre-wrap}
a{color:var(--link)}a:focus-visible,summary:focus-visible,button:focus-visible,.scroll:focus-visible,pre:focus-visible{outline:2px
 solid var(--link);outline-offset:2px}
.faint{color:var(--faint);font-weight:400}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.scroll{overflow:auto;max-width:100%;max-height:85vh;border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;width:100%}caption{text-align:left;padding:.4rem .6rem;color:var(--faint)}
th,td{padding:.35rem .6rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
thead th{position:sticky;top:0;background:var(--soft);border-top:0;white-space:nowrap}
.wide{min-width:16rem;width:60%}.right{text-align:right;white-space:nowrap}td:first-child{white-space:nowrap}
th button{all:unset;cursor:pointer;font-weight:600}th button::after{content:' ↕';color:var(--faint)}
th[aria-sort=ascending] button::after{content:' ↑'}th[aria-sort=descending] button::after{content:' ↓'}
tr:target{background:var(--mark)}
.outcome{white-space:nowrap;text-decoration:none;font-weight:600}.tag{white-space:nowrap;border:1px solid;border-radius:4px;padding:0 .3rem;
font-size:12px}
.ran{color:var(--ran);--own:var(--ran)}.cached{color:var(--cached);--own:var(--cached)}.failed{color:var(--failed);--own:var(--failed)}
.canceled{color:var(--canceled);--own:var(--canceled)}.waiting{color:var(--waiting);--own:var(--waiting)}
.graph{display:block}.lane{font-weight:600;fill:var(--text)}
.node rect{fill:var(--soft);stroke:var(--own);stroke-width:1.5}.node.critical rect{stroke-width:3.5}.node.waiting rect{stroke-dasharray:4 3}
.node text{fill:var(--text)}.node .figures{fill:var(--own);font-size:11.5px}
.node:focus-visible{outline:none}.node:focus-visible rect{stroke:var(--text);stroke-width:5}
.edge polyline{fill:none;stroke:var(--faint);stroke-width:1.2}.edge circle{fill:var(--faint)}
.edge.critical polyline{stroke:var(--text);stroke-width:3}.edge.critical circle{fill:var(--text)}
.bar rect{fill:var(--ran)}
.source td{white-space:pre;border:0;padding:0 .6rem}.source th{border:0;padding:0 .6rem;text-align:right;color:var(--faint);font-weight:400;width:1%}
.source .notes{white-space:nowrap;width:1%}mark{background:var(--mark);color:inherit}
.facts div{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.2rem 0;border-top:1px solid var(--line)}dt{flex:0 0 7rem;color:var(--faint)}
dd{flex:1 1 14rem;margin:0;min-width:0}ul.summary{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;padding:0;margin:.3rem 0}
.problem{border-left:4px solid var(--failed);padding:.2rem .8rem;margin:.8rem 0}.problem.warning{border-color:var(--canceled)}
summary{cursor:pointer}details p{margin:.3rem 0}
@media print{.scroll,pre{max-height:none;overflow:visible}}`;
