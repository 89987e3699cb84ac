// The painting page: reads what the model is, and wires the drawing, the board, the controls and the result. What it
// needs of a back end is what server.js exports.

import { Board } from "./board.js";
import { Controls } from "./controls.js";
import { Drawing } from "./drawing.js";
import { hexOf, Paper } from "./pixels.js";
import { Result } from "./result.js";
import { Translator } from "./translator.js";

const find = (selector) => document.querySelector(selector);
const GIVEN = { segments: "segments in its colours", lines: "lines", gray: "a gray picture", photo: "a picture" };

const message = find(".message");
function tell(text) {
  message.textContent = text;
  message.hidden = !text;
}

function introduce(model) {
  document.title = `Paint · ${model.name}`;
  find("h1").textContent = model.name;
  const facts = [`Given ${GIVEN[model.kind]}`, `${model.width} × ${model.height} px`];
  if (model.dataset) facts.push(`trained on ${model.dataset}`);
  if (model.steps) facts.push(`${model.steps.toLocaleString("en")} steps`);
  find(".about").textContent = facts.join(" · ");
  document.body.dataset.kind = model.kind;
  if (model.kind === "gray" || model.kind === "photo") find("#drawing-title").textContent = "Your picture";
  document.documentElement.style.setProperty("--aspect", model.width / model.height);
}

export function start(backend) {
  setUp(backend).catch((error) => tell(`The page could not be set up: ${error.message}`));
}

async function setUp({ readModel, load, exampleUrl, prepare, translate }) {
  const model = await readModel();
  introduce(model);
  const paper = new Paper(model.width, model.height);
  const controls = new Controls(find(".controls"), model);
  const drawing = new Drawing(paper, paper.blank(controls.ground));
  const board = new Board(find(".board"), drawing, () => controls.pen());
  const result = new Result(find(".result"), model, paper);
  const translator = new Translator({
    translate: (pixels, samples) => translate(pixels, { width: model.width, height: model.height, samples }),
    take: () => drawing.pixels(),
    made: async (made) => { tell(""); await result.show(made); },
    failed: (error) => tell(`The drawing could not be translated: ${error.message}`),
  });
  let isLoaded = false; // one may draw while the model comes
  load((text, share) => result.wait(text, share)).then(
    () => { isLoaded = true; translator.want(); },
    (error) => { result.wait(""); tell(`The model could not be loaded: ${error.message}`); },
  );

  drawing.changed = ({ live }) => {
    board.show();
    if (!live) board.settle();
    find("#undo").disabled = !drawing.past.length;
    find("#redo").disabled = !drawing.future.length;
    if (isLoaded) translator.want();
  };
  controls.changed = () => { if (controls.tool !== "polygon") board.leavePolygon(); board.settle(); };
  controls.drop = (item, event) => {
    if (event && !board.holds(event)) return;
    board.drop(item, event ? board.place(event) : [model.width / 2, model.height / 2]);
  };
  board.dropped = () => controls.take("move");
  board.picked = (pixel) => controls.paintWith(hexOf(pixel));

  const actions = {
    undo: () => drawing.undo(),
    redo: () => drawing.redo(),
    blank: () => drawing.begin(paper.blank(controls.ground)),
    upload: () => { if (model.sources.length) chooser.click(); },
    slider: () => show(find(".views [aria-pressed=true]").dataset.view === "slider" ? "beside" : "slider"),
    download: () => result.download("result"),
    help: () => find("#help").showModal(),
  };

  // --- start from -------------------------------------------------------------------------------------------------

  async function startFrom(url) {
    drawing.begin(await paper.read(url));
  }
  const starts = find(".starts");
  for (let number = 0; number < model.examples; number++) {
    const button = Object.assign(document.createElement("button"), { type: "button", title: `Start from example ${number + 1}` });
    button.append(Object.assign(new Image(), { src: exampleUrl(number), alt: `Example ${number + 1}` }));
    button.addEventListener("click", () => startFrom(exampleUrl(number)));
    starts.querySelector("#blank").after(...[button, ...starts.querySelectorAll("[data-example]")].sort((a, b) => (a.dataset.example ?? number) - (b.dataset.example ?? number)));
    button.dataset.example = number;
  }
  starts.querySelector("#blank").style.setProperty("--ground", controls.ground);
  find("#blank").addEventListener("click", actions.blank);

  const chooser = find("#upload");
  const asPhoto = find("#as-photo"), asDrawing = find("#as-drawing");
  asPhoto.hidden = !model.sources.includes("photo");
  asDrawing.hidden = !model.sources.includes("drawing");
  for (const [button, source] of [[asPhoto, "photo"], [asDrawing, "drawing"]]) {
    button.addEventListener("click", () => { chooser.dataset.source = source; chooser.click(); });
  }
  async function take(file, source) {
    if (!file || !source) return;
    tell(`Preparing ${file.name} …`);
    try {
      const url = await prepare(file, source);
      await startFrom(url);
      URL.revokeObjectURL(url);
      tell("");
    } catch (error) {
      tell(`${file.name} cannot be used: ${error.message}`);
    }
  }
  chooser.addEventListener("change", () => {
    take(chooser.files[0], chooser.dataset.source ?? model.sources[0]);
    chooser.value = "";
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0], model.sources[0]); });

  // --- the result -------------------------------------------------------------------------------------------------

  function press(buttons, chosen) {
    for (const button of buttons) button.setAttribute("aria-pressed", button === chosen);
  }
  const sampleButtons = [...document.querySelectorAll("[data-samples]")];
  find(".counts").hidden = model.most_samples < 2;
  for (const button of sampleButtons) {
    button.addEventListener("click", () => {
      press(sampleButtons, button);
      translator.samples = Math.min(Number(button.dataset.samples), model.most_samples);
      if (isLoaded) translator.want();
    });
  }
  const viewButtons = [...document.querySelectorAll(".views button")];
  function show(view) {
    press(viewButtons, viewButtons.find((button) => button.dataset.view === view));
    document.body.dataset.view = view;
  }
  for (const button of viewButtons) button.addEventListener("click", () => show(button.dataset.view));
  for (const button of document.querySelectorAll("[data-download]")) {
    button.addEventListener("click", () => { result.download(button.dataset.download); find(".menu").open = false; });
  }

  // --- keys -------------------------------------------------------------------------------------------------------

  find("#undo").addEventListener("click", actions.undo);
  find("#redo").addEventListener("click", actions.redo);
  find("#help-button").addEventListener("click", actions.help);
  find("#help").addEventListener("click", (event) => { if (event.target.id === "help") find("#help").close(); });
  const toolKeys = { b: "brush", r: "rectangle", p: "polygon", f: "fill", e: "eraser", v: "move", i: "pick" };
  const keys = {
    n: actions.blank, u: actions.upload, c: actions.slider, d: actions.download, h: actions.help, "?": actions.help,
    "[": () => controls.resize(controls.pen().size - 1), "]": () => controls.resize(controls.pen().size + 1),
    Delete: () => board.removeChosen(), Backspace: () => board.removeChosen(),
    "+": () => board.scale(1.1), "=": () => board.scale(1.1), "-": () => board.scale(1 / 1.1),
    Enter: () => board.closePolygon(), Escape: () => { board.leavePolygon(); board.choose(null); },
    ArrowLeft: (step) => board.nudge(-step, 0), ArrowRight: (step) => board.nudge(step, 0),
    ArrowUp: (step) => board.nudge(0, -step), ArrowDown: (step) => board.nudge(0, step),
  };
  addEventListener("keydown", (event) => {
    if (find("#help").open) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (command && (key === "z" || key === "y")) {
      event.preventDefault();
      return key === "y" || event.shiftKey ? actions.redo() : actions.undo();
    }
    const isItsOwn = event.target.matches("[type=range]") ? /^(Arrow|Home|End|Page)/.test(key) : key === "Enter" && event.target.matches("button, summary");
    if (command || event.altKey || isItsOwn) return;
    const button = toolKeys[key] && find(`[data-tool=${toolKeys[key]}]`);
    if (button && !button.hidden) controls.take(toolKeys[key]);
    else if (/^[1-9]$/.test(key) && controls.colors[key - 1]) controls.paintWith(controls.colors[key - 1].color);
    else if (keys[key]) {
      if (key.startsWith("Arrow") && board.chosen === null) return;
      event.preventDefault();
      keys[key](event.shiftKey ? 8 : 1);
    }
  });

  show("beside");
  if (model.examples) await startFrom(exampleUrl(0));
  drawing.past = []; // nothing has been painted yet
  drawing.changed({ live: false });
  document.body.dataset.ready = "yes";
}
