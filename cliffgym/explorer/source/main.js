// The page: one state, one redraw a frame, and what of it is kept in the address.

import { fragmentOf, readFragment } from "./address.js";
import { behaviour, namedWeights, possible, trainedPolicy, weightRadius } from "./behaviour.js";
import { makeScenarioPanel, makeTrainingPanel, makeWeightsPanel } from "./controls.js";
import { oncePerFrame, whenCalm } from "./dom.js";
import { acceptDrops, describeAdded } from "./drops.js";
import { LearnedPolicies } from "./learned.js";
import { makeLearnedPanel } from "./learned_panel.js";
import { traceLine } from "./line.js";
import { makeMessages } from "./messages.js";
import { decodeModel } from "./model.js";
import { seenFirst } from "./out_of_sight.js";
import { makeBars, makeLine, makePlane, makeTree } from "./pictures.js";
import { phaseDiagram } from "./plane.js";
import { Scenes } from "./scene.js";
import { combine, evaluate, expectedComponents, optimal, soft } from "./solver.js";
import { withParts } from "./state.js";
import { svgText } from "./svg.js";
import { makeTools } from "./tools.js";

/** Milliseconds of calm after which the address follows; browsers allow only so many changes in a while. */
const ADDRESS_CALM = 200;
/** Milliseconds of calm after which the tree follows while it is out of sight. */
const TREE_CALM = 100;
/** In one column, panels and pictures in the order in which they are used. */
const ONE_COLUMN = ["scenario", "line", "weights", "training", "bars", "plane", "tree", "learned"];
const COLUMNS = { side: ["scenario", "weights", "training", "learned"], pictures: ["line", "bars", "plane", "tree"] };

const byId = (id) => document.getElementById(id);

class ExplorerPage {
  constructor(data) {
    this.data = data;
    this.learned = new LearnedPolicies(data);
    this.messages = makeMessages(byId("messages"));
    this.isReady = false;
    this.isSettled = false;
    this.lastRedraw = NaN;
    this.drawing = false;
    this.redrawSoon = oncePerFrame(() => this.redraw());
    this.drawSlowSoon = oncePerFrame(() => this.drawSlow());
    this.scenes = new Scenes(data, this.learned, () => { if (!this.drawing) this.drawSlowSoon(); });
    this.writeAddress = whenCalm(() => this.writeAddressNow(), ADDRESS_CALM);
  }

  /** Shows what the address says. */
  start() {
    for (const id of ["top", "main"]) byId(id).hidden = false;
    this.arrange();
    const change = (parts) => this.change(parts), saved = { change, beforeSaving: () => this.complete() };
    const savedWhole = { change, beforeSaving: () => this.complete(true) };
    makeTools(byId("tools"), {
      link: () => this.link(),
      onReset: () => this.show(withParts(this.data, null, { id: this.state.id })),
      onTheme: () => { if (this.isReady) this.redrawSoon(); },
    });
    const panel = makeLearnedPanel(byId("learned"), this.learned, {
      onFiles: (files) => this.addFiles(files), onChange: this.redrawSoon, change,
    });
    const drawTree = makeTree(byId("tree"), saved);
    this.tree = seenFirst(byId("tree"), (scene) => this.attempt(() => drawTree(scene)), TREE_CALM);
    this.quick = [
      makeScenarioPanel(byId("scenario"), this.data, change).update,
      makeWeightsPanel(byId("weights"), change).update,
      makeTrainingPanel(byId("training"), change).update,
      makeBars(byId("bars"), saved),
      this.tree.draw,
    ];
    this.slow = [makeLine(byId("line"), savedWhole), makePlane(byId("plane"), savedWhole), panel.update];
    acceptDrops((files) => this.addFiles(files));
    addEventListener("hashchange", () => this.readAddress());
    const { state, problems } = readFragment(this.data, location.hash);
    this.state = state;
    this.messages.status(problems);
    this.redraw();
    this.isReady = true;
    performance.mark("cliffgym-ready");
  }

  /** Replaces parts of the state, given as such or as a function of the state. */
  change(parts) {
    this.show(withParts(this.data, this.state, typeof parts === "function" ? parts(this.state) : parts));
  }

  show({ state, problems }) {
    this.state = state;
    this.messages.status(problems);
    this.redrawSoon();
    this.writeAddress();
  }

  redraw() {
    const start = performance.now();
    this.drawing = true;
    this.attempt(() => {
      this.scene = this.scenes.look(this.state);
      this.drawAll(this.quick);
    });
    this.drawing = false;
    this.drawSlow();
    this.lastRedraw = performance.now() - start;
  }

  /** Draws what waits for slow computations. */
  drawSlow() {
    this.drawAll(this.slow);
    if (this.scenes.busy || this.isSettled) return;
    this.isSettled = true;
    performance.mark("cliffgym-settled");
  }

  drawAll(draws) {
    for (const draw of draws) this.attempt(() => draw(this.scene));
  }

  /** Whatever cannot be solved or drawn is said, and leaves the rest of the page as it is. */
  attempt(task) {
    try {
      task();
    } catch (error) {
      this.messages.alert(`This setting could not be shown: ${error.message}.`);
    }
  }

  /** Draws what is shown before a picture is saved, also what is `slow`. Returns what the file is called after. */
  complete(slow = false) {
    this.redraw();
    this.tree.finish();
    if (slow) {
      this.scenes.finish();
      this.drawSlow();
    }
    return this.state.id.replace(/[^A-Za-z0-9_-]+/g, "-");
  }

  readAddress() {
    if (location.hash.slice(1) === fragmentOf(this.data, this.state)) return;
    const { state, problems } = readFragment(this.data, location.hash);
    this.state = state;
    this.messages.status(problems);
    this.redrawSoon();
  }

  writeAddressNow() {
    try {
      history.replaceState(null, "", `#${fragmentOf(this.data, this.state)}`);
    } catch {
      // A frame without an address of its own, or too many changes: the link button still works.
    }
  }

  /** The address of what is shown; in a frame without one, what is to be put behind that of the page. */
  link() {
    const base = location.protocol === "about:" ? "" : location.href.split("#")[0];
    return `${base}#${fragmentOf(this.data, this.state)}`;
  }

  async addFiles(files) {
    const change = (parts) => this.change(parts);
    for (const file of files) {
      try {
        const added = await this.learned.add(file), here = this.learned.of(this.scene.model);
        const fitting = added.filter((policy) => here.includes(policy));
        if (fitting.length === 1) [this.learned.selected] = fitting;
        const { text, action, alert } = describeAdded(this.learned, added, this.scene.model, change);
        if (alert) this.messages.alert(text);
        else this.messages.status([{ text, action }]);
      } catch (error) {
        this.messages.alert(error.message);
      }
    }
    this.redrawSoon();
  }

  /** Puts panels and pictures in two columns, or in one: in the page as on the screen, for keyboards and readers. */
  arrange() {
    const wide = matchMedia("(min-width: 60rem)");
    const place = () => {
      const columns = wide.matches ? COLUMNS : { side: [], pictures: ONE_COLUMN };
      for (const [column, ids] of Object.entries(columns)) byId(column).append(...ids.map(byId));
      byId("side").hidden = !wide.matches;
    };
    place();
    wide.addEventListener("change", place);
  }
}

const page = new ExplorerPage(JSON.parse(byId("data").textContent));
page.start();

/**
 * What scripts can do with the page, in tests and in the browser's console: its data, its solvers, the state that is
 * shown (see `defaultState`) and a way to change parts of it, at once. `setState` throws where a part is wrong.
 * `lastRedraw` is in milliseconds; `busy` says whether something slow is still being computed.
 */
globalThis.cliffgym = Object.freeze({
  data: page.data,
  state: () => structuredClone(page.state),
  setState(parts) {
    const { state, problems } = withParts(page.data, page.state, parts);
    if (problems.length) throw new Error(problems.join("; "));
    page.state = state;
    page.redraw();
    page.tree.finish();
    page.writeAddress();
  },
  get ready() {
    return page.isReady;
  },
  get busy() {
    return page.scenes.busy || page.tree.waits;
  },
  get lastRedraw() {
    return page.lastRedraw;
  },
  decodeModel, combine, optimal, soft, evaluate, expectedComponents, traceLine, phaseDiagram, behaviour, trainedPolicy,
  possible, weightRadius, namedWeights, svgText,
});
