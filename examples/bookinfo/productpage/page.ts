/**
 * The pages themselves.
 *
 * @module
 */
import type { Rating, Review, Reviews } from "../reviews/reviews.ts";
import { Html, html } from "./html.ts";
import { type Details, type Part, PRODUCTS } from "./parts.ts";

/** How the request came: what the mesh told this service of it. */
export interface Passage {
  /** Who called, proved by the mesh. */
  readonly caller: string | null;
  readonly requestId: string | null;
  readonly traceparent: string | null;
}

export interface ProductView {
  readonly user: string | null;
  readonly details: Part<Details>;
  readonly reviews: Part<Reviews>;
  readonly passage: Passage;
}

/** The page of the book. */
export function productPage({ user, details, reviews, passage }: ProductView): string {
  const [book] = PRODUCTS;
  return layout(
    book.title,
    account(user),
    html`<section class="hero">
        ${cover()}
        <div>
          <p class="eyebrow">A play in five acts</p>
          <h1>${book.title}</h1>
          <p class="summary">${book.descriptionHtml}</p>
          ${reviews.ok ? average(reviews.value) : null}
        </div>
      </section>
      <div class="columns">
        <section class="card" aria-labelledby="details">
          <h2 id="details">Details</h2>
          ${detailsList(details)}
        </section>
        <section class="card" aria-labelledby="reviews">
          <h2 id="reviews">
            Reviews ${reviews.ok ? html`<span class="tag">${reviews.value.podname}</span>` : null}
          </h2>
          ${reviewList(reviews)}
        </section>
      </div>
      ${meshStrip(reviews, passage)}`,
  );
}

/** Where a visitor arrives who asks for no page. */
export function homePage(): string {
  return layout(
    "Bookinfo",
    html``,
    html`<section class="hero">
      ${cover()}
      <div>
        <h1>Bookinfo</h1>
        <p class="summary">
          One page, four services, three versions of one of them: the example of a service mesh.
        </p>
        <p><a class="button" href="/productpage">To the book</a></p>
      </div>
    </section>`,
  );
}

function layout(title: string, account: Html, main: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="/static/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/static/bookinfo.css" />
      </head>
      <body>
        <header>
          <a class="brand" href="/productpage"
            ><img src="/static/icon.svg" alt="" width="28" height="28" />Bookinfo</a
          >
          ${account}
        </header>
        <main>${main}</main>
      </body>
    </html>`.markup;
}

function account(user: string | null): Html {
  return user === null
    ? html`<form class="account" method="post" action="/login">
        <input name="username" aria-label="User name" placeholder="jason" required maxlength="64" />
        <button class="button">Sign in</button>
      </form>`
    : html`<p class="account">
        Signed in as <strong>${user}</strong> <a class="button" href="/logout">Sign out</a>
      </p>`;
}

function cover(): Html {
  return html`<svg class="cover" viewBox="0 0 120 168" role="img" aria-label="The cover: two pairs of twins">
    <rect class="board" width="120" height="168" rx="5" />
    <rect class="spine" width="9" height="168" rx="3" />
    <rect class="frame" x="20" y="12" width="88" height="144" rx="3" />
    <g class="twin-a">
      <circle cx="50" cy="58" r="10" />
      <path d="M36 92a14 18 0 0 1 28 0z" />
    </g>
    <g class="twin-b">
      <circle cx="78" cy="58" r="10" />
      <path d="M64 92a14 18 0 0 1 28 0z" />
    </g>
    <path class="wave" d="M26 108q9-8 19 0t19 0 19 0 19 0" />
    <path class="wave" d="M26 118q9-8 19 0t19 0 19 0 19 0" />
    <rect class="line" x="38" y="134" width="52" height="4" rx="2" />
    <rect class="line" x="48" y="143" width="32" height="3" rx="1.5" />
  </svg>`;
}

function detailsList(details: Part<Details>): Html {
  if (!details.ok) return html`<p class="sorry" role="status">${details.error}</p>`;
  const { value } = details;
  const rows: readonly (readonly [string, string | number])[] = [
    ["Author", value.author],
    ["Year", value.year],
    ["Type", value.type],
    ["Pages", value.pages],
    ["Publisher", value.publisher],
    ["Language", value.language],
    ["ISBN-10", value["ISBN-10"]],
    ["ISBN-13", value["ISBN-13"]],
  ];
  return html`<dl>
    ${rows.map(
      ([term, text]) =>
        html`<dt>${term}</dt>
          <dd>${text}</dd>`,
    )}
  </dl>`;
}

function reviewList(reviews: Part<Reviews>): Html {
  if (!reviews.ok) return html`<p class="sorry" role="status">${reviews.error}</p>`;
  return html`${reviews.value.reviews.map(reviewEntry)}`;
}

function reviewEntry({ reviewer, text, rating }: Review): Html {
  return html`<figure class="review">
    <blockquote>${text}</blockquote>
    <figcaption>${reviewer} ${rating === undefined ? null : ratingLine(rating)}</figcaption>
  </figure>`;
}

function ratingLine(rating: Rating): Html {
  if ("error" in rating) return html`<span class="sorry" role="status">${rating.error}</span>`;
  return stars(rating.stars, rating.color);
}

const STAR = "M10 1.6l2.6 5.3 5.8.8-4.2 4.1 1 5.8L10 14.9l-5.2 2.7 1-5.8L1.6 7.7l5.8-.8z";

function stars(count: number, color: "black" | "red"): Html {
  const star = (n: number) =>
    html`<path class="${n < count ? "full" : "empty"}" transform="translate(${n * 22})" d="${STAR}" />`;
  return html`<svg class="stars ${color}" viewBox="0 0 108 20" role="img" aria-label="${count} of 5 stars">
    ${[0, 1, 2, 3, 4].map(star)}
  </svg>`;
}

/** The mean of the stars there are; nothing without any. */
function average({ reviews }: Reviews): Html {
  const counts = reviews.flatMap(({ rating }) =>
    rating !== undefined && "stars" in rating ? [rating.stars] : [],
  );
  if (counts.length === 0) return html``;
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return html`<p class="average"><strong>${mean.toFixed(1)}</strong> of 5, from ${counts.length} reviews</p>`;
}

/** What the mesh did for this page, for those who want to see it work. */
function meshStrip(reviews: Part<Reviews>, { caller, requestId, traceparent }: Passage): Html {
  const version = reviews.ok ? reviews.value.podname : "no reviews";
  const ratedBy = reviews.ok ? reviews.value.ratedBy : null;
  const facts: readonly (readonly [string, string | null])[] = [
    ["caller", caller],
    ["request", requestId],
    ["trace", traceparent?.split("-")[1] ?? null],
  ];
  return html`<footer class="strip" aria-label="Served through the mesh">
    <p><span class="dot"></span>Served through the mesh</p>
    <p class="path">
      productpage <span>→</span> ${version}${ratedBy === null ? null : html` <span>→</span> ${ratedBy}`}
    </p>
    ${facts.map(([name, value]) => (value === null ? null : html`<p>${name} <code>${value}</code></p>`))}
  </footer>`;
}
