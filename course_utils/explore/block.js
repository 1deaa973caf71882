// BlockExplorer: a token's path through one block, drawn as a row of stations, and its length in all blocks.

const INK = { stream: "#0072b2", norm: "#8a8a8a", attention: "#009e73", MLP: "#e69f00" }; // as in the diagrams
const SIDE = 200; // of the picture, in CSS pixels
const WIDTH = 690, CARD = 88, LINE = 146, TOP = 104; // of the drawing: width, a station's width, heights of stream and branch
const ROW = 24, COLUMN = { stream: 62, attention: 182, MLP: 280, early: 358 }, CHART = 462; // of the overview
const ROOM = { stream: 80, added: 40 }; // its longest bars
const SVG = Object.assign(document.createElement("div"), { innerHTML: "<svg></svg>" }).firstChild.namespaceURI;

/** Make an element of a drawing: draw("line", { x1: 0, ... }, child). */
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const INKLESS = { fill: "none", stroke: "currentColor", "stroke-width": 1.5 };
const BEFORE = { ...INKLESS, "stroke-dasharray": "4 3" }; // the direction that an angle is told from
const bar = (x, y, width, height, fill, more = {}) => draw("rect", { x, y, width, height, fill, ...more });
const route = (points, style = INKLESS) => draw("polyline", { points: points.join(" "), ...style });
const disc = (cx, cy, r, fill, more = {}) => draw("circle", { cx, cy, r, fill, ...more });
const words = (x, y, text, more = {}) =>
  draw("text", { x, y, "text-anchor": "middle", "font-size": 12, fill: "currentColor", ...more }, text);

/** An arrow; its head is never longer than half of it. */
function arrow([x1, y1], [x2, y2], colour, width) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (!length) return draw("g");
  const head = Math.min(4 + 2 * width, length / 2) / length;
  const [dx, dy] = [(x2 - x1) * head, (y2 - y1) * head];
  const neck = [x2 - dx, y2 - dy];
  const points = [[x2, y2], [neck[0] - dy / 2.4, neck[1] + dx / 2.4], [neck[0] + dy / 2.4, neck[1] - dx / 2.4]];
  const shaft = route([[x1, y1], neck], { stroke: colour, "stroke-width": width });
  return draw("g", {}, shaft, draw("polygon", { points: points.join(" "), fill: colour }));
}

const toDegrees = (cosine) => (Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI;
const long = (length) => (length >= 0.95 ? length.toFixed(1) : length.toPrecision(2));
const percent = (probability) => (probability > 0.995 ? "over 99%" : `${Math.round(100 * probability)}%`);

/** How a direction lies to another, in words. */
function relation(degrees) {
  const passed = [40, 70, 110, 140].filter((limit) => degrees > limit).length;
  return ["along it", "partly along it", "across it", "partly against it", "against it"][passed];
}

/** A station's figures: a dial with an arrow at the angle, and a bar for the length. */
function gauge(x, y, colour, length, longest, degrees) {
  const radius = 27, base = y + radius + 4, turn = (degrees * Math.PI) / 180;
  const arc = `M ${x - radius} ${base} A ${radius} ${radius} 0 0 1 ${x + radius} ${base} Z`;
  return [
    draw("path", { d: arc, ...INKLESS, "stroke-opacity": 0.25 }),
    route([[x, base], [x + radius, base]], BEFORE),
    arrow([x, base], [x + radius * Math.cos(turn), base - radius * Math.sin(turn)], colour, 3),
    words(x, base + 15, `${Math.round(degrees)}°`),
    bar(x - 36, base + 22, 72, 9, "currentColor", { "fill-opacity": 0.1 }),
    bar(x - 36, base + 22, (72 * length) / longest, 9, colour, { class: "length" }),
    words(x, base + 45, `length ${long(length)}`),
  ];
}

const render = explorer(({ model, root, on, painted }) => {
  const [rows, columns] = model.get("grid");
  const [height, width] = model.get("picture_size");
  const [prefix, stations, depth] = [model.get("prefix"), model.get("stations"), model.get("depth")];
  const count = prefix.length + rows * columns;
  const layers = [...Array(depth).keys()];
  const last = stations.length - 1;
  const ends = stations[last][1] === "norm" ? "the head" : "the final norm and the head";
  const branches = ["attention", "MLP"].map((name, index) => ({
    name,
    station: stations.findIndex(([, kind]) => kind === name),
    addedTo: model.get("added_to")[index],
  }));

  // ---------------------------------------------------------------- the page
  const picture = make("canvas", { "aria-hidden": "true" });
  const nameOf = (row, column) => `patch row ${row}, column ${column}`;
  const patches = buttonGrid(rows, columns, "Patches", nameOf, (index) => put(model, "token", prefix.length + index));
  const others = prefix.map((name, index) =>
    make("button", { type: "button", class: "text-button", onclick: () => put(model, "token", index) }, name),
  );
  const token = panel("Token: pick one", stack(SIDE, Math.round((SIDE * height) / width), picture, patches.element));
  token.element.append(make("div", { class: "controls", style: `margin-top: 8px; gap: 8px; max-width: ${SIDE}px` }, ...others));

  const chart = draw("svg", { "aria-hidden": "true", style: "width: 100%; height: 100%" });
  const blocks = buttonGrid(depth, 1, "Blocks", (row) => `block ${row}`, (index) => put(model, "layer", index));
  blocks.element.style.top = `${2 * ROW}px`; // below the headings and the row of the start
  const all = panel("All blocks: pick one", stack(CHART, (depth + 2) * ROW, chart, blocks.element));
  const note = make("p", { style: `margin: 4px 0 0; max-width: ${CHART}px; min-height: 4.5em; font-size: 12px` });
  all.element.append(note);

  const compare = selectFor(model, on, "compare", "Dials: turned from the token as it entered", [
    ["block", "this block"],
    ["start", "the first block"],
  ]);
  const path = draw("svg", {
    role: "img",
    viewBox: `0 0 ${WIDTH} ${LINE + 148}`,
    style: `width: 100%; max-width: ${WIDTH}px; display: block`,
  });
  const random = (1 / Math.sqrt(model.get("width"))).toFixed(2);
  const caption = make(
    "p",
    { style: `margin: 4px 0; max-width: ${WIDTH}px; font-size: 12px` },
    "Above the line: what the branches read and make. Below it: the stream; between its stations, the arrow that a branch " +
      "makes (in its colour) is added to the stream (dashed), and the sum is blue. Each sum has its own scale, on which " +
      "lengths and angles are true; to which side a token turns, no flat picture can say. Bars: one scale for all blocks of this token. " +
      `Two random directions of ${model.get("width")} numbers stand at about 90°: their cosine is typically ${random} off 0.`,
  );
  const status = statusLine();
  root.append(
    make("div", { class: "controls" }, ...pictureControls(model, on)),
    make("div", { class: "panels" }, token.element, all.element),
    make("div", { class: "controls" }, compare.element),
    path,
    caption,
    status.element,
  );

  // ---------------------------------------------------------------- the numbers of the picture
  let lengths, cosines, along;
  const read = () => {
    lengths = numbers(model, "lengths", Float32Array);
    cosines = { block: numbers(model, "to_block", Float32Array), start: numbers(model, "to_start", Float32Array) };
    along = numbers(model, "along", Float32Array);
    const pixels = numbers(model, "pictures", Uint8Array);
    paintPicture(picture, pixels.subarray(3 * height * width * model.get("image")), height, width);
  };
  const at = (values, layer, station) => values[(layer * stations.length + station) * count + model.get("token")];
  const angle = (from, layer, station) => toDegrees(at(cosines[from], layer, station));
  /** What a branch adds: its length, its cosine with the stream. */
  const addition = (layer, branch) => ({
    added: at(lengths, layer, branches[branch].station),
    cosine: along[(layer * 2 + branch) * count + model.get("token")],
  });

  // ---------------------------------------------------------------- all blocks
  const paintBlocks = () => {
    const early = model.get("token") === 0 ? model.get("early") : [];
    const after = layers.map((layer) => at(lengths, layer, last));
    const added = branches.map(({ station }) => layers.map((layer) => at(lengths, layer, station)));
    const start = at(lengths, 0, 0);
    const scale = Math.min(ROOM.stream / Math.max(start, ...after), ROOM.added / Math.max(...added.flat()));
    const left = { "text-anchor": "start" };
    const write = (row, x, text) => words(x, row * ROW + 16, text, left);
    const show = (row, column, length) => [
      bar(COLUMN[column], row * ROW + 6, length * scale, ROW - 12, INK[column], { class: column }),
      write(row, COLUMN[column] + length * scale + 5, long(length)),
    ];
    const reading = (place) => `${early[place][0]} ${percent(early[place][1])}`;
    chart.replaceChildren(
      write(0, COLUMN.stream, "length after it"),
      ...branches.map(({ name }) => write(0, COLUMN[name], `${name} adds`)),
      write(0, COLUMN.early, early.length ? "read early*" : ""),
      write(1, 6, "start"),
      ...show(1, "stream", start),
      ...layers.flatMap((layer) => [
        write(layer + 2, 6, `block ${layer}`),
        ...show(layer + 2, "stream", after[layer]),
        ...branches.flatMap(({ name }, branch) => show(layer + 2, name, added[branch][layer])),
      ]),
      ...early.map((_, place) => write(place + 1, COLUMN.early, reading(place))),
    );
    blocks.buttons.forEach((button, layer) => {
      const parts = branches.map(({ name }, branch) => `${name} adds ${long(added[branch][layer])}`);
      if (early.length) parts.push(`read early: ${reading(layer + 1)}`);
      button.setAttribute("aria-label", `block ${layer}: length after it ${long(after[layer])}, ${parts.join(", ")}`);
    });
    if (early.length) {
      note.textContent =
        `* A probe, the “logit lens” (nostalgebraist 2020): the class token taken straight from here to ${ends}, ` +
        "trained for the last block only. The last row is the model's answer.";
    } else if (model.get("early").length) {
      note.textContent = "For the class token, one more column tells what the head would say of it after each block.";
    }
  };

  // ---------------------------------------------------------------- one block
  const paintPath = (layer, longest) => {
    const zone = (WIDTH - CARD * stations.filter(([, , onStream]) => onStream).length) / 2; // for one branch
    const read = (station, x, y) =>
      gauge(x, y, INK[stations[station][1]], at(lengths, layer, station), longest, angle(model.get("compare"), layer, station));
    const parts = [arrow([0, LINE], [WIDTH, LINE], INK.stream, 6)];
    const starts = []; // where the two zones begin
    const boxes = [[], []]; // the stations in them
    let x = 0;
    stations.forEach(([name, kind, onStream], station) => {
      if (!onStream) {
        const branch = Number(station > branches[1].addedTo);
        if (!boxes[branch].length) {
          starts[branch] = x;
          x += zone;
        }
        boxes[branch].push(station);
        return;
      }
      const middle = x + CARD / 2;
      x += CARD;
      parts.push(
        ...(kind === "norm"
          ? [bar(middle - 26, LINE - 13, 52, 26, INK.norm, { rx: 5 }), words(middle, LINE + 4, "norm", { fill: "#000" })]
          : [disc(middle, LINE, 7, INK.stream)]),
        words(middle, LINE + 30, name, { "font-weight": "bold" }),
        ...read(station, middle, LINE + 36),
      );
    });

    // A sum, if the stream it starts from lies level: true to scale.
    const sums = branches.map(({ addedTo }, branch) => {
      const [stream, { added, cosine }] = [at(lengths, layer, addedTo), addition(layer, branch)];
      const tip = [stream + added * cosine, added * Math.sqrt(Math.max(0, 1 - cosine * cosine))];
      return { stream, tip, low: Math.min(0, tip[0]), high: Math.max(stream, tip[0]) };
    });
    sums.forEach(({ stream, tip, low, high }, branch) => {
      const [fork, join] = [starts[branch] + 6, starts[branch] + zone - 4];
      const pitch = zone / boxes[branch].length;
      const centres = boxes[branch].map((_, place) => starts[branch] + pitch * (place + 0.5));
      parts.push(
        disc(fork, LINE, 4, "currentColor"),
        route([[fork, LINE], [fork, TOP], [join, TOP], [join, LINE - 14]]),
        arrow([join, LINE - 18], [join, LINE - 10], "currentColor", 1.5),
        disc(join, LINE, 10, "#fff", { stroke: "#000", "stroke-width": 1.5 }),
        route([[join - 6, LINE], [join + 6, LINE]], { stroke: "#000", "stroke-width": 2 }),
        route([[join, LINE - 6], [join, LINE + 6]], { stroke: "#000", "stroke-width": 2 }),
      );
      boxes[branch].forEach((station, place) => {
        const [name, kind] = stations[station];
        parts.push(
          bar(centres[place] - 40, TOP - 13, 80, 26, INK[kind], { rx: 5 }),
          words(centres[place], TOP + 4, name, { fill: "#000" }),
          ...read(station, centres[place], 0),
        );
      });

      const { added, cosine } = addition(layer, branch);
      const middle = starts[branch] + zone / 2, floor = LINE + 106;
      const scale = Math.min((zone - 24) / (high - low), 80 / tip[1]);
      const place = ([right, up]) => [middle + (right - (low + high) / 2) * scale, floor - up * scale];
      parts.push(
        route([place([0, 0]), place([stream, 0])], BEFORE),
        arrow(place([stream, 0]), place(tip), INK[branches[branch].name], 3),
        arrow(place([0, 0]), place(tip), INK.stream, 3),
        words(middle, floor + 19, `adds ${long(added)} at ${Math.round(toDegrees(cosine))}°`),
        words(middle, floor + 35, `cosine ${cosine.toFixed(2).replace("-", "−")}: ${relation(toDegrees(cosine))}`),
      );
    });
    path.replaceChildren(...parts);
    const told = stations.map(([name], station) => {
      const degrees = Math.round(angle(model.get("compare"), layer, station));
      return `${name}: length ${long(at(lengths, layer, station))}, ${degrees} degrees`;
    });
    path.setAttribute("aria-label", `Stations of block ${layer}: ${told.join("; ")}`);
  };

  // ---------------------------------------------------------------- both, and in words
  const tell = (layer, name) => {
    const adds = branches.map((_, branch) => {
      const { added, cosine } = addition(layer, branch);
      return `${long(added)} at ${Math.round(toDegrees(cosine))}° (${relation(toDegrees(cosine))})`;
    });
    const turned = (from) => `${Math.round(angle(from, layer, last))}°`;
    const early = model.get("token") === 0 ? model.get("early") : [];
    status.say(
      `Block ${layer}, ${name}: it enters with length ${long(at(lengths, layer, 0))} and leaves with ` +
        `${long(at(lengths, layer, last))}, turned by ${turned("block")}` +
        (layer ? `, and by ${turned("start")} since it entered the first block. ` : ". ") +
        `To the stream, attention adds ${adds[0]}, the MLP ${adds[1]}.` +
        (early.length ? ` ${layer === depth - 1 ? "The head says" : "Read early, the head would say"} ${early[layer + 1][0]}, ${percent(early[layer + 1][1])}.` : ""),
    );
  };
  const paint = () => {
    if (model.get("answered") !== model.get("image")) return; // the kernel is still at it
    const [chosen, layer] = [model.get("token"), model.get("layer")];
    const patch = chosen - prefix.length;
    patches.select(Math.max(patch, -1));
    others.forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
    blocks.select(layer);
    paintBlocks();
    paintPath(layer, Math.max(...layers.flatMap((each) => stations.map((_, station) => at(lengths, each, station)))));
    tell(layer, patch < 0 ? prefix[chosen] : nameOf(Math.floor(patch / columns), patch % columns));
    painted();
  };
  on("answered", () => {
    read();
    paint();
  });
  on("token layer compare", paint);
  read();
  paint();
});
