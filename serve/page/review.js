// Answers that wait for a person: many a minute, by keyboard.

import { ask } from "./api.js";
import { CategoryField, KeptPhoto, Path, Wrong, percent } from "./parts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

const MOST = 200;
const SAID = { accepted: "accepted", corrected: "corrected to" };

export function Review() {
  const [reviews, setReviews] = useState(null);
  const [total, setTotal] = useState(0);
  const [at, setAt] = useState(0);
  const [path, setPath] = useState("");
  const [last, setLast] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  const load = async () => {
    try {
      const found = await ask(`v1/reviews?limit=${MOST}`);
      setReviews(found.reviews);
      setTotal(found.total);
      setAt(0);
    } catch (found) {
      setProblem(found);
      setReviews([]);
    }
  };
  useEffect(() => {
    load();
  }, []);
  const current = (reviews || [])[at];

  const decide = async (verb, json) => {
    if (!current || busy) return;
    setBusy(true);
    try {
      const decided = await ask(`v1/reviews/${current.id}:${verb}`, { method: "POST", json });
      setLast({ ...decided, at });
      setProblem(null);
      setPath("");
      const left = reviews.filter((one) => one.id !== current.id);
      setReviews(left);
      setTotal(total - 1);
      setAt(Math.min(at, Math.max(0, left.length - 1)));
      if (!left.length && total > 1) await load();
      if (document.activeElement === field.current) field.current.blur();
    } catch (found) {
      setProblem(found);
    } finally {
      setBusy(false);
    }
  };
  const accept = () => (current && current.path ? decide("accept") : undefined);
  const correct = (to) => (to.trim() ? decide("correct", { path: to.trim() }) : undefined);
  const undo = async () => {
    if (!last || busy) return;
    try {
      const open = await ask(`v1/reviews/${last.id}:undo`, { method: "POST" });
      const again = [...reviews];
      again.splice(last.at, 0, open);
      setReviews(again);
      setTotal(total + 1);
      setAt(last.at);
      setLast(null);
      setProblem(null);
    } catch (found) {
      setProblem(found);
    }
  };
  const move = (step) => setAt(Math.max(0, Math.min((reviews || []).length - 1, at + step)));

  useEffect(() => {
    const press = (event) => {
      if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
      const choice = Number(event.key);
      if (choice >= 1 && current && current.alternatives[choice - 1]) correct(current.alternatives[choice - 1].path);
      else if (event.key === "a") accept();
      else if (event.key === "c") field.current.focus();
      else if (event.key === "u") undo();
      else if (event.key === "j" || event.key === "ArrowRight") move(1);
      else if (event.key === "k" || event.key === "ArrowLeft") move(-1);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });

  return html`
    <p role="status">
      ${reviews === null ? "Loading…" : `${total} ${total === 1 ? "answer waits" : "answers wait"} for a person.`}
      ${last &&
      html` Last: ${last.name || last.product_id} ${SAID[last.status]} <${Path} path=${last.decided} />.
        <button onClick=${undo}>Undo <kbd>u</kbd></button>`}
    </p>
    <${Wrong} problem=${problem} />
    ${current &&
    html`<article class="reviewing" key=${current.id}>
      <div class="photos">
        ${current.photos.map(
          (photo) => html`<${KeptPhoto} path=${photo.slice(1)} alt=${current.name || current.product_id} />`,
        )}
      </div>
      <div>
        <h2>${current.name || current.product_id}</h2>
        <p class="answer">
          ${current.path
            ? html`<${Path} path=${current.path} /> <b>${percent(current.score)}</b>
                <button class="main" disabled=${busy} onClick=${accept}>Accept <kbd>a</kbd></button>`
            : "Nothing was answered."}
        </p>
        ${current.alternatives.length > 0 &&
        html`<h3>Or is it</h3>
          <ol class="alternatives">
            ${current.alternatives.slice(0, 9).map(
              (one, place) => html`<li>
                <button disabled=${busy} onClick=${() => correct(one.path)}>
                  <kbd>${place + 1}</kbd> <${Path} path=${one.path} /> ${percent(one.probability)}
                </button>
              </li>`,
            )}
          </ol>`}
        <form
          class="correct"
          onSubmit=${(event) => {
            event.preventDefault();
            correct(path);
          }}
        >
          <${CategoryField} id="correct" label="Another category (c)" value=${path} onInput=${setPath} field=${field} />
          <button disabled=${busy || !path.trim()}>Correct</button>
        </form>
        <p class="pages">
          <button disabled=${at === 0} onClick=${() => move(-1)}>Before <kbd>k</kbd></button>
          <button disabled=${at >= reviews.length - 1} onClick=${() => move(1)}>Next <kbd>j</kbd></button>
        </p>
      </div>
    </article>`}
    <p>
      <a href="v1/reviews:export?format=xlsx" download onClick=${download}>What people decided, as Excel</a>
    </p>
  `;
}

/** A link cannot carry the API key. */
async function download(event) {
  event.preventDefault();
  const { photoUrl: fileUrl } = await import("./api.js");
  const link = document.createElement("a");
  link.href = await fileUrl(event.target.getAttribute("href"));
  link.download = "labelled.xlsx";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
