// Answers that wait for a person: many a minute, by keyboard.

import { ask, fileUrl } from "./api.js";
import { CategoryField, KeptPhoto, Path, Wrong, percent, useReload } from "./parts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

const PAGE = 100;
const FEW = 10; // are left when more are asked for
const SHORTCUTS = "catalens-shortcuts";
const SAID = { accepted: "accepted", corrected: "corrected to" };

const EMPTY = { open: null, total: 0, next: null, at: 0 };

export function Review() {
  const [queue, setQueue] = useState(EMPTY);
  const [done, setDone] = useState([]); // what was decided here, the last one last
  const [path, setPath] = useState("");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [shortcuts, setShortcuts] = useState(sessionStorage.getItem(SHORTCUTS) !== "off");
  const working = useRef(false);
  const field = useRef(null);
  const heading = useRef(null);
  const current = (queue.open || [])[queue.at];

  /** One thing at a time: answers that cross would leave a list that never was. */
  const alone = async (work) => {
    if (working.current) return;
    working.current = true;
    setBusy(true);
    try {
      await work();
      setProblem(null);
    } catch (found) {
      setProblem(found);
    } finally {
      working.current = false;
      setBusy(false);
    }
  };

  const load = () =>
    alone(async () => {
      const page = await ask(`v1/reviews?limit=${PAGE}`);
      setQueue({ open: page.reviews, total: page.total, next: page.next, at: 0 });
    });
  useEffect(() => {
    load();
  }, []);
  useReload(load);

  const more = async (rest) => {
    if (rest.next === null || rest.open.length - rest.at > FEW) return rest;
    const page = await ask(`v1/reviews?limit=${PAGE}&after=${encodeURIComponent(rest.next)}`);
    const known = new Set(rest.open.map((one) => one.id));
    const added = page.reviews.filter((one) => !known.has(one.id));
    return { ...rest, open: [...rest.open, ...added], next: page.next };
  };

  const without = async (id, total) => {
    const open = queue.open.filter((one) => one.id !== id);
    const at = Math.min(queue.at, Math.max(0, open.length - 1));
    setQueue(await more({ ...queue, open, total, at }));
    setPath("");
  };

  const file = (to) =>
    alone(async () => {
      const review = current;
      try {
        const json = { path: to };
        const decided = await ask(`v1/reviews/${review.id}:correct`, { method: "POST", json });
        setDone([...done, { id: decided.id, at: queue.at, decided }]);
        await without(review.id, queue.total - 1);
      } catch (found) {
        // Somebody else was first, or the product is gone: it waits no more.
        if (found.status === 404 || found.type === "invalid-request") await without(review.id, queue.total - 1);
        throw found;
      }
      if (document.activeElement === field.current) field.current.blur();
      if (heading.current) heading.current.focus();
    });
  // What is seen is accepted, not what the server may have answered since.
  const accept = () => current && current.path && file(current.path);
  const correct = (to) => current && to.trim() && file(to.trim());

  const undo = () => {
    const last = done.at(-1);
    if (!last) return;
    alone(async () => {
      const again = await ask(`v1/reviews/${last.id}:undo`, { method: "POST" });
      const open = [...queue.open];
      open.splice(last.at, 0, again);
      setDone(done.slice(0, -1));
      setQueue({ ...queue, open, total: queue.total + 1, at: last.at });
      setPath("");
    });
  };

  const move = (step) =>
    alone(async () => {
      const at = Math.max(0, Math.min((queue.open || []).length - 1, queue.at + step));
      setQueue(await more({ ...queue, open: queue.open || [], at }));
      setPath("");
    });

  useEffect(() => {
    const press = (event) => {
      const typing = event.target.matches("input, textarea, select");
      if (!shortcuts || typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      const choice = Number(event.key);
      if (choice >= 1 && current && current.alternatives[choice - 1]) correct(current.alternatives[choice - 1].path);
      else if (event.key === "a") accept();
      else if (event.key === "c" && field.current) field.current.focus();
      else if (event.key === "u") undo();
      else if (event.key === "j" || event.key === "ArrowRight") move(1);
      else if (event.key === "k" || event.key === "ArrowLeft") move(-1);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });

  const download = async (event) => {
    event.preventDefault();
    const address = event.currentTarget.getAttribute("href");
    await alone(async () => {
      const link = document.createElement("a");
      link.href = await fileUrl(address); // a link itself cannot carry the API key
      link.download = "labelled.xlsx";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  };

  const last = done.at(-1);
  return html`
    <p role="status">
      ${waiting(queue, problem)}
      ${current && html` Now: ${nameOf(current)}.`}
      ${last && html` Last: ${nameOf(last.decided)} ${SAID[last.decided.status]} <${Path} path=${last.decided.decided} />.`}
    </p>
    <p class="pages">
      <button disabled=${!last || busy} onClick=${undo}>Undo <kbd>u</kbd></button>
      ${problem && queue.open === null && html`<button onClick=${load}>Try again</button>`}
      <label class="check">
        <input
          type="checkbox"
          checked=${shortcuts}
          onChange=${(event) => {
            setShortcuts(event.target.checked);
            sessionStorage.setItem(SHORTCUTS, event.target.checked ? "on" : "off");
          }}
        />
        single keys decide
      </label>
    </p>
    <${Wrong} problem=${problem} />
    ${current &&
    html`<article class="reviewing">
      <div class="photos">
        ${current.photos.map(
          (photo) => html`<${KeptPhoto} key=${photo} path=${photo.slice(1)} alt=${nameOf(current)} />`,
        )}
      </div>
      <div>
        <h2 tabindex="-1" ref=${heading}>${nameOf(current)}</h2>
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
              (one, place) => html`<li key=${one.path}>
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
          <button disabled=${busy || queue.at === 0} onClick=${() => move(-1)}>Before <kbd>k</kbd></button>
          <button disabled=${busy || queue.at >= queue.open.length - 1} onClick=${() => move(1)}>Next <kbd>j</kbd></button>
        </p>
      </div>
    </article>`}
    <p><a href="v1/reviews:export?format=xlsx" onClick=${download}>What people decided, as Excel</a></p>
  `;
}

const nameOf = (review) => review.name || review.product_id;

function waiting({ open, total }, problem) {
  if (open === null) return problem ? "The answers that wait could not be read." : "Loading…";
  return `${total} ${total === 1 ? "answer waits" : "answers wait"} for a person.`;
}
