// The bundle that answers: how far to trust it, what it knows, and what comes next.

import { ask, fileUrl } from "./api.js";
import { Wrong, percent, useReload } from "./parts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

export function Model() {
  const [model, setModel] = useState(null);
  const [tree, setTree] = useState([]);
  const [report, setReport] = useState(null);
  const [problem, setProblem] = useState(null);
  const gone = useRef(false);
  const load = () => {
    setProblem(null);
    ask("v1/model").then(setModel, setProblem);
    ask("v1/categories").then(({ categories }) => setTree(categories), setProblem);
  };
  useEffect(load, []);
  useReload(load);
  useEffect(() => () => (gone.current = true), []);
  useEffect(() => () => report && URL.revokeObjectURL(report), [report]);
  if (!model) return html`<${Wrong} problem=${problem} />`;
  const metrics = model.provenance.held_out_metrics || {};
  const facts = [
    ["Version", model.model],
    ["Bundle", model.bundle],
    ["Runs as", `${model.variant} on ${model.device}`],
    ["Categories learnt", model.classes],
    ["Right on photos set aside", metrics.top1 === undefined ? null : percent(metrics.top1)],
    ["Macro F1 there", metrics.macro_f1 === undefined ? null : metrics.macro_f1.toFixed(2)],
    ["Probabilities off by, on average", metrics.ece === undefined ? null : percent(metrics.ece)],
    ["Answers alone from", percent(model.certainty)],
    ["Products in the catalog", model.catalog && model.catalog.products],
    ["Catalog", model.catalog && model.catalog.uri],
  ];
  const show = () =>
    fileUrl("v1/model/report").then((url) => (gone.current ? URL.revokeObjectURL(url) : setReport(url)), setProblem);
  return html`
    <dl class="facts">
      ${facts
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
    <${Swap} swap=${model.swap} reindexed=${model.catalog && model.catalog.reindexed} />
    <${Candidate} shadow=${model.shadow} />
    <${Wrong} problem=${problem} />
    ${report
      ? html`<iframe title="Report of the training" sandbox="" src=${report}></iframe>`
      : html`<button onClick=${show}>Show the report of its training</button>`}
    <h2>Categories</h2>
    <${Tree} nodes=${tree} />
  `;
}

function Swap({ swap, reindexed }) {
  if (swap.state === "active") return null;
  const far = reindexed === null || reindexed === undefined ? "" : ` The catalog is embedded for it to ${percent(reindexed)}.`;
  return html`<p role="status">
    ${swap.state === "loading" ? `${swap.bundle} is being loaded.${far}` : `${swap.bundle} was refused: ${swap.reason}`}
  </p>`;
}

function Candidate({ shadow }) {
  if (!shadow) return null;
  return html`<section>
    <h2>Candidate ${shadow.bundle}</h2>
    <p>
      ${shadow.state}${shadow.reason ? `: ${shadow.reason}` : ""}; it saw ${shadow.photos} photos and agreed on
      ${" "}${shadow.photos ? percent(shadow.agreed / shadow.photos) : "none yet"}.
    </p>
    ${shadow.changes.length > 0 &&
    html`<table>
      <caption>What it would change most</caption>
      <thead><tr><th scope="col">now</th><th scope="col">candidate</th><th scope="col">photos</th></tr></thead>
      <tbody>
        ${shadow.changes.map((one) => html`<tr><td>${one.path}</td><td>${one.candidate}</td><td>${one.photos}</td></tr>`)}
      </tbody>
    </table>`}
  </section>`;
}

const Tree = ({ nodes }) => html`<ul class="tree">
  ${nodes.map(
    (node) => html`<li>
      ${node.name}${node.products !== null && html` <span class="above">${node.products}</span>`}
      ${node.children.length > 0 && html`<${Tree} nodes=${node.children} />`}
    </li>`,
  )}
</ul>`;
