/**
 * What the page loads: a style sheet and an icon, nothing from elsewhere.
 *
 * @module
 */

/** `/static/bookinfo.css` */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#f7f5f0, #14171c);
  --card: light-dark(#ffffff, #1c2129);
  --ink: light-dark(#1d2430, #e8eaee);
  --muted: light-dark(#5d6675, #9aa4b4);
  --line: light-dark(#e3dfd5, #2c333e);
  --accent: light-dark(#1f5f6b, #6fc3cf);
  --red: light-dark(#c8312b, #ff7a70);
  --full: light-dark(#1d2430, #e8eaee);
  --empty: light-dark(#dcd8ce, #39414e);
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
header, main { max-width: 60rem; margin-inline: auto; padding-inline: 1.25rem; }
header {
  display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; justify-content: space-between;
  padding-block: 1rem;
}
.brand { display: flex; gap: .6rem; align-items: center; font-weight: 650; color: inherit; text-decoration: none; }
.account { display: flex; gap: .5rem; align-items: center; margin: 0; }
input {
  width: 9rem; padding: .4rem .7rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); color: inherit; font: inherit;
}
.button {
  padding: .4rem .9rem; border: 1px solid var(--accent); border-radius: .5rem; background: none;
  color: var(--accent); font: inherit; font-weight: 550; text-decoration: none; cursor: pointer;
}
.button:hover { background: var(--accent); color: var(--paper); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.hero { display: flex; gap: 2.25rem; align-items: center; padding-block: 1.5rem 2.25rem; }
.hero h1 {
  margin: 0 0 .75rem; font: 600 clamp(2rem, 6vw, 3.1rem)/1.1 "Iowan Old Style", Palatino, Georgia, serif;
  letter-spacing: -.01em;
}
.eyebrow { margin: 0 0 .35rem; color: var(--accent); font-size: .85rem; font-weight: 600; letter-spacing: .06em; }
.summary { max-width: 36rem; margin: 0; color: var(--muted); font-size: 1.08rem; }
.average { margin: 1rem 0 0; color: var(--muted); }
.average strong { color: var(--ink); font-size: 1.3rem; }
.cover { flex: none; width: 10.5rem; filter: drop-shadow(0 10px 18px rgb(0 0 0 / .22)); }
.board { fill: #1f5f6b; }
.spine { fill: #164650; }
.frame { fill: none; stroke: #d9b96a; stroke-width: 1.2; }
.twin-a { fill: #f1e6cf; }
.twin-b { fill: #d9b96a; }
.wave { fill: none; stroke: #8fc4cc; stroke-width: 2.4; stroke-linecap: round; }
.line { fill: #d9b96a; }
.columns { display: grid; grid-template-columns: minmax(15rem, 2fr) 3fr; gap: 1.25rem; align-items: start; }
.card { padding: 1.35rem 1.5rem; border: 1px solid var(--line); border-radius: .9rem; background: var(--card); }
.card h2 { display: flex; gap: .6rem; align-items: center; margin: 0 0 .9rem; font-size: 1.1rem; }
.tag {
  padding: .05rem .6rem; border-radius: 1rem; background: color-mix(in srgb, var(--accent) 15%, transparent);
  color: var(--accent); font-size: .8rem; font-weight: 600;
}
dl { display: grid; grid-template-columns: auto 1fr; gap: .45rem 1.25rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
.review { margin: 0; }
.review + .review { margin-top: 1.1rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
blockquote { margin: 0 0 .5rem; font: 1.08rem/1.55 "Iowan Old Style", Palatino, Georgia, serif; }
figcaption { display: flex; flex-wrap: wrap; gap: .35rem .8rem; align-items: center; color: var(--muted); font-size: .92rem; }
.stars { width: 6.2rem; height: 1.15rem; }
.stars .full { fill: var(--full); }
.stars.red .full { fill: var(--red); }
.stars .empty { fill: var(--empty); }
.sorry { margin: 0; padding: .3rem .75rem; border-left: 3px solid var(--red); color: var(--muted); }
.strip {
  display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin-block: 1.5rem 2.5rem; padding: .8rem 1.1rem;
  border: 1px dashed var(--line); border-radius: .9rem; color: var(--muted); font-size: .84rem;
}
.strip p { margin: 0; }
.strip .path { color: var(--ink); }
.strip .path span { color: var(--accent); }
.strip code { overflow-wrap: anywhere; color: var(--ink); font: .95em ui-monospace, SFMono-Regular, Menlo, monospace; }
.dot {
  display: inline-block; width: .55rem; height: .55rem; margin-right: .5rem; border-radius: 50%; background: #2f9e62;
}
@media (max-width: 44rem) {
  .hero { flex-direction: column; gap: 1.25rem; align-items: flex-start; padding-top: .5rem; }
  .cover { width: 7.5rem; }
  .columns { grid-template-columns: 1fr; }
}
`;

/** `/static/icon.svg` */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="7" fill="#1f5f6b"/>
<path d="M7 9q5-2 9 1v14q-4-3-9-1zM25 9q-5-2-9 1v14q4-3 9-1z" fill="#f1e6cf"/>
<path d="M16 10v14" stroke="#1f5f6b" stroke-width="1.4"/>
</svg>`;
