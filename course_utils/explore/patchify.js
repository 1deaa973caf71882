const SIDE = 256; // of the picture at most, in CSS pixels
const ROOM = { width: 384, height: 224 }; // for the sequence
const LARGEST_TILE = 64;
const NUMBERED = 28; // a tile of this width has room for its number
const LONGEST_BAR = 60;
const MOST_BUTTONS = 256; // more take longer than a frame: then click, or use the slider of the tokens

const whole = (value) => value.toLocaleString("en");
const rounded = (value, digits) => value.toLocaleString("en", { maximumSignificantDigits: digits });
const percent = (share) => `${rounded(100 * share, 2)}%`;
const millions = (value) => rounded(value / 1e6, 3);

/** How many tiles stand in a line, and how wide each is, if the sequence is to fill its room as words fill a page. */
function layOut(count) {
  let tile = LARGEST_TILE, inLine = Math.floor(ROOM.width / tile);
  while (tile > 4 && Math.ceil(count / inLine) * tile > ROOM.height) inLine = Math.floor(ROOM.width / --tile);
  return { tile, inLine };
}

/** Lines between the patches, white beside black: seen on bright and on dark pixels. */
function drawLines(canvas, width, height, step) {
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  for (const [colour, shift] of [["#fff", -1], ["#000", 0]]) {
    context.fillStyle = colour;
    for (let x = step; x < width - 1; x += step) context.fillRect(Math.round(x) + shift, 0, 1, height);
    for (let y = step; y < height - 1; y += step) context.fillRect(0, Math.round(y) + shift, width, 1);
  }
}

/** The patches of a picture in raster order, each as a tile with a gap around it, numbered where there is room. */
function drawSequence(canvas, picture, patchSize, { tile, inLine }) {
  const columns = picture.width / patchSize, count = columns * (picture.height / patchSize);
  const sharp = Math.ceil(window.devicePixelRatio);
  const width = Math.min(inLine, count) * tile, height = Math.ceil(count / inLine) * tile;
  [canvas.width, canvas.height] = [sharp * width, sharp * height];
  canvas.style.cssText = `width: ${width}px; height: ${height}px`;
  const context = canvas.getContext("2d");
  context.scale(sharp, sharp);
  context.imageSmoothingEnabled = false;
  context.font = "10px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (let token = 0; token < count; token++) {
    const left = (token % inLine) * tile + 1, top = Math.floor(token / inLine) * tile + 1;
    const [row, column] = [Math.floor(token / columns), token % columns];
    context.drawImage(picture, column * patchSize, row * patchSize, patchSize, patchSize, left, top, tile - 2, tile - 2);
    if (tile < NUMBERED) continue;
    context.fillStyle = "rgb(0 0 0 / 75%)";
    context.fillRect(left, top, context.measureText(token).width + 4, 12);
    context.fillStyle = "#fff";
    context.fillText(token, left + 2, top + 6.5);
  }
}

/** A labelled slider from 0. show(place, last, text) moves it; pick(place) is called when the person does. */
function slider(label, pick) {
  const input = make("input", { type: "range", min: 0, step: 1, oninput: () => pick(Number(input.value)) });
  const output = make("output");
  const show = (place, last, text) => {
    [input.max, input.value, output.textContent] = [last, place, text];
    input.setAttribute("aria-valuetext", text);
  };
  return { element: make("label", {}, label, input, output), show };
}

/** What a model costs with each patch size. mark(size) marks its row. */
function costTable(model) {
  const sizes = model.get("sizes"), costs = model.get("costs");
  const most = Math.max(...costs.map((cost) => cost["multiply-adds"]));
  const heads = [
    "patch size", "tokens: patches + class", "numbers in a patch", "scores of a head in a layer",
    "parameters: patch embedding", "parameters: positions", "multiply-adds, millions",
    "of these, attention products", `multiply-adds: times P = ${model.get("reference")}`,
  ];
  const rows = costs.map((cost, index) => {
    const bar = make("i", { style: `width: ${(LONGEST_BAR * cost["multiply-adds"]) / most}px` });
    const cells = [
      `${whole(cost.patches)} + ${cost.others}`, whole(cost.numbers), whole(cost.scores),
      whole(cost["patch embedding"]), whole(cost.positions), millions(cost["multiply-adds"]),
      percent(cost["attention share"]), make("div", { class: "cost" }, bar, `${rounded(cost.relative, 2)}×`),
    ];
    const head = make("th", { scope: "row" }, `${sizes[index]} × ${sizes[index]}`);
    return make("tr", {}, head, ...cells.map((content) => make("td", {}, content)));
  });
  const element = make(
    "table", {},
    make("caption", {}, `The cost of one picture, by patch size (${model.get("model_words")})`),
    make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows),
  );
  const mark = (size) => rows.forEach((row, index) => row.setAttribute("aria-current", String(sizes[index] === size)));
  return { element, mark };
}

const render = explorer(({ model, root, on, painted }) => {
  const [height, width] = model.get("picture_size"), sizes = model.get("sizes");
  const zoom = SIDE / Math.max(height, width), scale = zoom > 1 ? Math.floor(zoom) : zoom;

  const picture = make("canvas", { class: "picture", "aria-hidden": "true" });
  const lines = make("canvas", { class: "lines", "aria-hidden": "true" });
  const markInPicture = make("div", { class: "mark" }), markInSequence = make("div", { class: "mark" });
  const image = stack(width * scale, height * scale, picture, lines, markInPicture);
  const sequence = make("canvas", { class: "tokens", "aria-hidden": "true" });
  const line = stack(ROOM.width, ROOM.height, sequence, markInSequence);

  const state = () => {
    const p = model.get("patch_size"), rows = height / p, columns = width / p, count = rows * columns;
    const [row, column] = model.get("place").map((pixel) => Math.floor(pixel / p));
    return { p, rows, columns, count, row, column, patch: row * columns + column, ...layOut(count) };
  };
  const pick = (patch) => {
    const { p, columns } = state();
    const middle = (index) => index * p + Math.floor(p / 2);
    put(model, "place", [middle(Math.floor(patch / columns)), middle(patch % columns)]);
  };
  lines.addEventListener("click", ({ offsetX, offsetY }) => {
    const inPicture = (offset, side) => Math.max(0, Math.min(side - 1, Math.floor(offset / scale)));
    put(model, "place", [inPicture(offsetY, height), inPicture(offsetX, width)]);
  });
  sequence.addEventListener("click", ({ offsetX, offsetY }) => {
    const { tile, inLine, count } = state();
    const token = Math.floor(offsetY / tile) * inLine + Math.min(inLine - 1, Math.floor(offsetX / tile));
    if (token >= 0 && token < count) pick(token);
  });

  const patchSize = slider("Patch size", (place) => put(model, "patch_size", sizes[place]));
  const token = slider("Token", pick);
  const left = panel("", image), right = panel("", line, token.element);
  const status = statusLine(), costs = costTable(model);

  const grids = new Map(); // patch size -> its grid of buttons
  const gridFor = ({ p, rows, columns, count }) => {
    if (count > MOST_BUTTONS) return null;
    const name = (row, column) => `patch row ${row}, column ${column}`;
    if (!grids.has(p)) grids.set(p, buttonGrid(rows, columns, "Patches", name, pick));
    return grids.get(p);
  };
  const frame = (mark, left, top, side) => {
    mark.style.cssText = `left: ${left}px; top: ${top}px; width: ${side}px; height: ${side}px`;
  };

  const drawMark = () => {
    const now = state(), { p, row, column, columns, count, patch, tile, inLine } = now;
    const cost = model.get("costs")[sizes.indexOf(p)];
    gridFor(now)?.select(patch);
    frame(markInPicture, column * p * scale, row * p * scale, p * scale);
    frame(markInSequence, (patch % inLine) * tile + 1, Math.floor(patch / inLine) * tile + 1, tile - 2);
    token.show(patch, count - 1, `${patch} (row ${row}, column ${column})`);
    status.say(
      `Patch row ${row}, column ${column} is token ${row} × ${columns} + ${column} = ${patch} of ${whole(count)}, counted from 0. ` +
      `It holds 3 × ${p} × ${p} = ${whole(cost.numbers)} numbers. ` +
      `With ${whole(cost.patches + cost.others)} tokens: ${millions(cost["multiply-adds"])} million multiply-adds, ` +
      `${percent(cost["attention share"])} in attention products.`,
    );
    painted();
  };
  const drawCut = () => {
    const now = state(), { p, rows, columns, count } = now;
    image.replaceChildren(...[picture, lines, gridFor(now)?.element, markInPicture].filter(Boolean));
    drawLines(lines, width * scale, height * scale, p * scale);
    drawSequence(sequence, picture, p, now);
    patchSize.show(sizes.indexOf(p), sizes.length - 1, `P = ${p}: ${whole(count)} ${count === 1 ? "patch" : "patches"}`);
    left.caption.textContent = `The picture: ${rows} × ${columns} patches`;
    right.caption.textContent = "The sequence: its tokens in raster order";
    costs.mark(p);
    drawMark();
  };
  const drawAll = () => {
    const pixels = numbers(model, "pictures", Uint8Array), size = 3 * height * width, first = size * model.get("image");
    paintPicture(picture, pixels.subarray(first, first + size), height, width);
    drawCut();
  };

  root.classList.add("patchify");
  root.append(
    make("div", { class: "controls" }, ...pictureControls(model, on), patchSize.element),
    make("div", { class: "panels" }, left.element, right.element),
    status.element,
    costs.element,
  );
  on("image pictures", drawAll);
  on("patch_size", drawCut);
  on("place", drawMark);
  drawAll();
});
