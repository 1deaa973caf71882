// The training explorer: curves, confusion matrix and pictures of one epoch. Everything is here: no click asks the kernel.

const PLAY_MS = 700; // a frame of "play"
const CHART = { width: 328, height: 165, left: 36, right: 64, top: 8, bottom: 32 };

/** Write a panel's caption: its name, and more. */
function title({ caption }, name, more) {
  caption.replaceChildren(make("strong", {}, name), more);
}

/** An element from SVG text: the parser knows the namespace. */
function drawing(text) {
  const frame = make("div");
  frame.innerHTML = text;
  return frame.firstElementChild;
}

/** Steps of 1, 2 or 5 times a power of ten, so that up to `most` of them reach `last`. */
function stepFor(last, most) {
  for (let power = 10 ** Math.floor(Math.log10(last / most)); ; power *= 10) {
    for (const factor of [1, 2, 5]) if (last / (factor * power) <= most) return factor * power;
  }
}

/**
 * A chart of two curves over the epochs: training solid with a dot, validation dashed with a square, each with its name
 * at its end. pick(t) is called with the snapshot nearest to a click; show(t) moves the cursor.
 */
function curveChart(epochs, curves, top, tick, unit, guess, pick) {
  const { width, height, left, right, top: above, bottom } = CHART;
  const last = epochs[epochs.length - 1];
  const x = (epoch) => left + (epoch / last) * (width - left - right);
  const y = (value) => height - bottom - (value / top) * (height - above - bottom);
  const lines = [];
  const line = (x1, y1, x2, y2, more) => lines.push(`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="currentColor" ${more}/>`);
  const text = (at, level, anchor, words) => lines.push(`<text x="${at}" y="${level}" text-anchor="${anchor}">${words}</text>`);
  for (let value = 0; value <= top + 1e-6; value += tick) {
    line(left, y(value), width - right, y(value), 'stroke-opacity="0.2"');
    text(left - 5, y(value) + 4, "end", unit(value));
  }
  const step = stepFor(last, 6);
  for (let epoch = 0; epoch <= last; epoch += step) text(x(epoch), height - bottom + 14, "middle", epoch);
  text(x(last / 2), height - 2, "middle", "epoch");
  line(left, y(guess), width - right, y(guess), 'stroke-dasharray="1 3"');
  text(width - right + 8, y(guess) + 4, "start", "guessing");
  const ends = curves.map((values) => y(values[values.length - 1]));
  const apart = Math.max(0, 13 - Math.abs(ends[0] - ends[1])) / 2; // or the two names would lie over each other
  const first = ends[0] <= ends[1] ? 0 : 1; // the upper one
  curves.forEach((values, curve) => {
    const points = [...values].flatMap((value, t) => (Number.isNaN(value) ? [] : [`${x(epochs[t])},${y(value)}`]));
    const dashes = curve ? 'stroke-dasharray="5 3"' : "";
    lines.push(`<polyline points="${points.join(" ")}" fill="none" stroke="currentColor" stroke-width="1.6" ${dashes}/>`);
    text(width - right + 8, ends[curve] + 4 + (curve === first ? -apart : apart), "start", curve ? "validation" : "training");
  });
  const element = drawing(`<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">${lines.join("")}
    <line class="cursor" y1="${above}" y2="${height - bottom}" stroke="currentColor" stroke-width="1.2"/>
    <circle r="4" fill="currentColor"/>
    <rect width="8" height="8" fill="none" stroke="currentColor" stroke-width="2"/></svg>`);
  const [cursor, dot, square] = ["line.cursor", "circle", "rect"].map((name) => element.querySelector(name));
  element.addEventListener("click", (event) => {
    const box = element.getBoundingClientRect();
    const epoch = (((event.clientX - box.left) * width) / box.width - left) / (x(last) - left) * last;
    const distances = epochs.map((each) => Math.abs(each - epoch));
    pick(distances.indexOf(Math.min(...distances)));
  });
  const show = (t, words) => {
    const place = (mark, values, attributes) => {
      mark.setAttribute("visibility", Number.isNaN(values[t]) ? "hidden" : "visible");
      for (const [name, value] of Object.entries(attributes)) if (!Number.isNaN(value)) mark.setAttribute(name, value);
    };
    cursor.setAttribute("x1", x(epochs[t]));
    cursor.setAttribute("x2", x(epochs[t]));
    place(dot, curves[0], { cx: x(epochs[t]), cy: y(curves[0][t]) });
    place(square, curves[1], { x: x(epochs[t]) - 4, y: y(curves[1][t]) - 4 });
    element.setAttribute("aria-label", words);
  };
  return { element, show };
}

/** A strip over the epochs: a high bar where an answer was right, a low one where it was wrong. show(t) moves the mark. */
function strip(right) {
  const bars = right.map((yes, t) => `<rect x="${t + 0.1}" y="${yes ? 0 : 6}" width="0.8" height="${yes ? 7 : 1}" fill="currentColor"/>`);
  const element = drawing(`<svg viewBox="0 0 ${right.length} 11" width="100%" height="11" preserveAspectRatio="none" aria-hidden="true">
    ${bars.join("")}<rect class="mark" y="8" width="1" height="3" fill="currentColor"/></svg>`);
  const mark = element.querySelector(".mark");
  return { element, show: (t) => mark.setAttribute("x", t) };
}

/** A small line of shares from 0 to 1 over the epochs, with a mark at one. */
function sparkline(values, t, words) {
  const [width, height] = [76, 16];
  const x = (at) => 1 + (at / (values.length - 1)) * (width - 2);
  const y = (value) => height - 1 - value * (height - 2);
  const points = values.map((value, at) => `${x(at)},${y(value)}`).join(" ");
  return drawing(`<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${words}">
    <polyline points="${points}" fill="none" stroke="currentColor"/>
    <line x1="${x(t)}" x2="${x(t)}" y1="0" y2="${height}" stroke="currentColor" stroke-opacity="0.6"/>
    <circle cx="${x(t)}" cy="${y(values[t])}" r="2.5" fill="currentColor"/></svg>`);
}

/** A button that goes through the epochs by itself. Who wants less motion has the slider alone. */
function playButton(model, last, status) {
  let timer = null;
  const button = make("button", { type: "button", class: "text-button" }, "Play");
  const pause = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
    status.removeAttribute("aria-live");
    status.textContent = status.textContent; // said aloud now that it stands still
  };
  const step = () => {
    if (!button.isConnected || model.get("epoch") >= last) return pause();
    put(model, "epoch", model.get("epoch") + 1);
  };
  button.addEventListener("click", () => {
    if (timer !== null) return pause();
    if (model.get("epoch") >= last) put(model, "epoch", 0);
    status.setAttribute("aria-live", "off");
    button.textContent = "Pause";
    timer = setInterval(step, PLAY_MS);
  });
  return button;
}

/** A share as text: 3 digits, without a needless zero in front of the exponent. */
function share(value) {
  return value >= 0.0995 ? value.toFixed(2) : value >= 0.00095 ? value.toFixed(3) : value === 0 ? "0" : value.toExponential(0);
}

const render = explorer(({ model, root, on, painted }) => {
  const palette = numbers(model, "palette", Uint8Array);
  const classes = model.get("classes"), epochs = model.get("epochs"), names = model.get("picture_names");
  const labels = model.get("labels"), layers = model.get("layers"), words = model.get("words");
  const epochNames = model.get("epoch_names");
  const [height, width] = model.get("picture_size");
  const [rows, columns] = model.get("grid");
  const T = epochs.length, P = names.length, K = classes.length, patches = rows * columns;
  const flat = numbers(model, "curves", Float32Array); // (4, T)
  const curves = [0, 1, 2, 3].map((curve) => flat.subarray(curve * T, (curve + 1) * T));
  const confusion = numbers(model, "confusion", Uint32Array); // (T, K, K)
  const probabilities = numbers(model, "probabilities", Float32Array); // (T, P, K)
  const maps = numbers(model, "maps", Uint16Array); // (T, P, L, rows, columns)
  const pixels = numbers(model, "pictures", Uint8Array); // (P, H, W, 3)

  const shares = (t, p) => [...probabilities.subarray((t * P + p) * K, (t * P + p + 1) * K)];
  const best = (values) => values.indexOf(Math.max(...values));
  const says = Array.from({ length: T }, (_, t) => names.map((_, p) => best(shares(t, p)))); // [t][p]
  const percent = (value, digits = 0) => `${(100 * value).toFixed(digits)}%`;
  const epochWords = (t) => (epochNames[t] === "0" ? "untrained" : `${epochNames[t]} of ${epochNames[T - 1]}`);

  // ---------------------------------------------------------------- the parts
  const status = statusLine();
  const slider = sliderFor(model, on, "epoch", "Epoch", T - 1, epochWords);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const controls = calm ? [slider.element] : [slider.element, playButton(model, T - 1, status.element)];

  const pick = (t) => put(model, "epoch", t);
  const highest = Math.ceil(2 * Math.max(Math.log(K), ...[...curves[0], ...curves[1]].filter((value) => value >= 0))) / 2;
  const charts = [
    curveChart(epochs, curves.slice(0, 2), highest, stepFor(highest, 6), (value) => value.toFixed(1), Math.log(K), pick),
    curveChart(epochs, curves.slice(2), 1, 0.2, (value) => percent(value), 1 / K, pick),
  ];
  const chartPanels = charts.map((chart) => panel("", chart.element));

  const across = [5, 4, 3, 2, 1].find((count) => P % count === 0);
  const choose = (p) => put(model, "image", p);
  const grid = buttonGrid(P / across, across, "Validation pictures", (row, column) => names[row * across + column], choose);
  const cards = grid.buttons.map((button, p) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    paintPicture(canvas, pixels.subarray(p * height * width * 3, (p + 1) * height * width * 3), height, width);
    const answer = make("span"), verdict = make("span");
    const history = strip(says.map((row) => row[p] === labels[p]));
    button.append(canvas, make("span", {}, make("span", { class: "name" }, names[p]), answer, verdict, history.element));
    return { button, answer, verdict, history };
  });

  const cells = [];
  const table = make("table", { class: "confusion" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "true ↓  says →"),
      ...classes.map((name) => make("th", { scope: "col" }, make("span", {}, name))))),
    make("tbody", {}, ...classes.map((name) => make("tr", {}, make("th", { scope: "row" }, name),
      ...classes.map(() => cells[cells.push(make("td")) - 1])))));
  const rowBar = colourBar(palette);
  rowBar.label("0%", "100% of the row");

  const shown = make("canvas", { class: "picture", "aria-hidden": "true" });
  const below = make("canvas", { "aria-hidden": "true" });
  const map = make("canvas", { class: "map", role: "img" });
  const mapBar = colourBar();
  const layer = selectFor(model, on, "layer", "Layer",
    Array.from({ length: layers }, (_, l) => [l, l === layers - 1 ? `${l} (last)` : l]));
  const list = make("tbody");
  const close = panel("",
    make("div", { class: "panels" }, stack(128, 128, shown), stack(128, 128, below, map)),
    make("div", { class: "controls" }, layer.element, mapBar.element),
    make("p", { class: "note" }, `Over the picture, in orange: attention from ${model.get("asker")} to the patches, mean over the heads. Uniform would be 1/${model.get("tokens")} = ${share(1 / model.get("tokens"))}. The scale ends at the largest weight of this map.`),
    make("table", { class: "shares" }, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "class"),
      make("th", { scope: "col", colspan: 2 }, "probability"), make("th", { scope: "col" }, "over the epochs"))), list));

  const pictures = panel("", grid.element);
  title(pictures, "Validation pictures", ", never trained on, named by their true class. Below the name: what the model says. Strip: one bar an epoch, high = right, low = wrong; the mark stands at this epoch.");
  const matrix = panel("", table, rowBar.element);
  title(matrix, "Confusion matrix", " of all validation images. Row: true class. Column: what the model says. Number: images. Ring: the picked picture.");

  root.append(
    make("div", { class: "controls" }, ...controls), status.element,
    make("div", { class: "panels" }, ...chartPanels.map(({ element }) => element)),
    make("p", { class: "note" }, "Training values are means over a pass, taken while the model changed; validation values were taken after it. A click into a chart chooses the epoch."),
    pictures.element,
    make("div", { class: "panels" }, matrix.element, close.element),
  );
  root.classList.add("training");
  grid.element.classList.add("pictures");
  chartPanels.forEach(({ element }) => element.classList.add("chart"));

  // ---------------------------------------------------------------- drawing
  const paintCurves = (t) => {
    const known = (value, text) => (Number.isNaN(value) ? "none" : text(value));
    const pairs = [["Loss", " (nats): ", (value) => value.toFixed(3)], ["Accuracy", ": ", (value) => percent(value, 1)]];
    pairs.forEach(([name, unit, text], chart) => {
      const [training, validation] = [0, 1].map((curve) => known(curves[2 * chart + curve][t], text));
      const values = `${unit}● training ${training}, □ validation ${validation}`;
      title(chartPanels[chart], name, values);
      charts[chart].show(t, `${name}${values}`);
    });
  };

  const paintCards = (t) => cards.forEach(({ button, answer, verdict, history }, p) => {
    const said = says[t][p], right = said === labels[p], probability = percent(shares(t, p)[said]);
    const often = says.filter((row) => row[p] === labels[p]).length;
    answer.textContent = `${right ? "✓" : "✗"} ${classes[said]}`;
    verdict.textContent = `${right ? "right" : "wrong"}, ${probability}`;
    button.setAttribute("aria-label", `${names[p]}: the model says ${classes[said]}, ${verdict.textContent}; right at ${often} of ${T} epochs`);
    history.show(t);
  });

  const paintConfusion = (t, p) => cells.forEach((cell, index) => {
    const row = Math.floor(index / K);
    const counts = confusion.subarray((t * K + row) * K, (t * K + row + 1) * K);
    const part = counts[index % K] / Math.max(1, counts.reduce((sum, count) => sum + count));
    const level = Math.min(255, Math.floor(256 * part));
    cell.textContent = counts[index % K];
    cell.style.background = `rgb(${palette.subarray(3 * level, 3 * level + 3).join(", ")})`;
    cell.style.color = inkOn(palette, part, 0, 1);
    cell.classList.toggle("here", row === labels[p] && index % K === says[t][p]);
  });

  const paintClose = (t, p, l) => {
    const own = pixels.subarray(p * height * width * 3, (p + 1) * height * width * 3);
    paintPicture(shown, own, height, width);
    paintPicture(below, own, height, width);
    const place = ((t * P + p) * layers + l) * patches;
    const weights = maps.subarray(place, place + patches);
    const strongest = best([...weights]), most = share(weights[strongest] / 65535);
    paintTint(map, weights, rows, columns, weights[strongest]);
    map.setAttribute("aria-label", `Map of layer ${l}: most weight, ${most}, on the patch in row ${Math.floor(strongest / columns)}, column ${strongest % columns}`);
    mapBar.label("0", most);

    const now = shares(t, p);
    const order = now.map((_, k) => k).sort((a, b) => now[b] - now[a]).slice(0, 5);
    if (!order.includes(labels[p])) order.push(labels[p]);
    list.replaceChildren(...order.map((k) => make("tr", {},
      make("th", { scope: "row" }, k === labels[p] ? `${classes[k]} (true)` : classes[k]),
      make("td", {}, percent(now[k], 1)),
      make("td", {}, make("div", { class: "meter" }, make("div", { style: `width: ${100 * now[k]}%` }))),
      make("td", {}, sparkline(epochs.map((_, at) => shares(at, p)[k]), t, `${percent(shares(0, p)[k])} untrained, ${percent(shares(T - 1, p)[k])} at the end`)))));
    title(close, names[p], ", the picked picture: what the model says about it");
    return order.slice(0, 3).map((k) => `${classes[k]} ${percent(now[k])}`).join(", ");
  };

  const paint = () => {
    const t = model.get("epoch"), p = model.get("image");
    paintCurves(t);
    paintCards(t);
    paintConfusion(t, p);
    grid.select(p);
    const top = paintClose(t, p, model.get("layer"));
    status.say(`${words[t]} ${names[p]}: ${top}.`);
    painted();
  };
  on("epoch image layer", paint);
  paint();
});
