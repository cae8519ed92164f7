// The page: a tab for each thing that a catalog team does.

import { key } from "./api.js";
import { Catalog } from "./catalog.js";
import { Classify } from "./classify.js";
import { Compare } from "./compare.js";
import { Model } from "./model.js";
import { CategoryList } from "./parts.js";
import { Review } from "./review.js";
import { html, render, useEffect, useState } from "./vendor/htm-preact.js";

const VIEWS = {
  classify: ["Classify", Classify],
  compare: ["Compare", Compare],
  catalog: ["Catalog", Catalog],
  review: ["Review", Review],
  model: ["Model", Model],
};

const shown = () => {
  const name = location.hash.slice(1);
  return Object.hasOwn(VIEWS, name) ? name : "classify";
};

// A photo that misses its field must not take the page away.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

function App() {
  const [name, setName] = useState(shown());
  useEffect(() => {
    const follow = () => setName(shown());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => {
    document.title = `${VIEWS[name][0]} · Catalens`;
  }, [name]);
  const View = VIEWS[name][1];
  return html`
    <a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    }}>Skip to the content</a>
    <header>
      <span class="brand"><img src="page/icon.svg" alt="" /> Catalens</span>
      <nav aria-label="Views">
        ${Object.entries(VIEWS).map(
          ([view, [title]]) =>
            html`<a href="#${view}" aria-current=${view === name ? "page" : null}>${title}</a>`,
        )}
      </nav>
      <${Key} />
    </header>
    <main id="main" tabindex="-1">
      <h1>${VIEWS[name][0]}</h1>
      <${View} key=${name} />
    </main>
    <${CategoryList} />
  `;
}

/** The API key, for servers that ask for one. */
function Key() {
  const [value, setValue] = useState(key.get() || "");
  return html`<form
    class="key"
    onSubmit=${(event) => {
      event.preventDefault();
      key.set(value.trim());
    }}
  >
    <label for="key">API key</label>
    <input
      id="key"
      type="password"
      autocomplete="off"
      placeholder="if the server asks"
      value=${value}
      onInput=${(event) => setValue(event.target.value)}
    />
    <button>Use</button>
  </form>`;
}

render(html`<${App} />`, document.getElementById("app"));
