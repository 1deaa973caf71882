// Where a token looks. The prefix tokens (class token, registers) stand before the patches.
const WHOLE = 65535; // a weight of 1, as it is sent
const SIDE = 208; // the longer side of a picture, in CSS pixels
const BELOW = 16; // pixels below a small map, for its largest weight and the frame
const MOST_NUMBERS = 8; // rows and columns that leave room for a number in each cell

const upTo = (count) => [...Array(count).keys()];
const percent = (share) => `${(100 * share).toFixed(share >= 0.01 ? 1 : 2)}%`;

const render = explorer(({ model, root, on, painted }) => {
  const get = (trait) => model.get(trait);
  const [depth, heads] = get("shape");
  const [rows, columns] = get("grid");
  const [height, width] = get("picture_size");
  const prefix = get("prefix");
  const first = prefix.length; // the first patch
  const tokens = first + rows * columns;
  const uniform = 1 / tokens;
  const palette = numbers(model, "palette", Uint8Array);
  let weights, distances; // of the picture: (L * h + 1, N, N) and (L + 1, h + 1)

  const place = (patch) => `row ${Math.floor(patch / columns)}, column ${patch % columns}`;
  const nameOf = (layer, head) => {
    if (layer === depth) return "Rollout through all layers";
    return `Layer ${layer}, ${head === heads ? "mean of the heads" : `head ${head}`}`;
  };
  const far = (layer, head) => {
    const pixels = distances[layer * (heads + 1) + head];
    return Number.isNaN(pixels) ? "no patch takes from a patch" : `mean attention distance ${pixels.toFixed(1)} pixels`;
  };
  const inOverview = (index) => [Math.floor(index / (heads + 1)), index % (heads + 1)]; // layer, head
  const pick = (token) => put(model, "query", token);

  /** The weights between the query and every token (N,), in one layer and head. */
  const valuesOf = (layer, head) => {
    let matrices = [layer * heads + head];
    if (layer === depth) matrices = [depth * heads];
    else if (head === heads) matrices = upTo(heads).map((each) => layer * heads + each);
    const [start, step] = get("direction") === "looks at" ? [get("query") * tokens, 1] : [get("query"), tokens];
    return Float64Array.from({ length: tokens }, (_, token) => {
      let sum = 0;
      for (const matrix of matrices) sum += weights[matrix * tokens * tokens + start + token * step];
      return sum / (WHOLE * matrices.length);
    });
  };
  const topOf = (map) => (get("shared_scale") ? get("largest") : Math.max(...map, uniform));

  // ------------------------------------------------------------------ the parts
  const layers = [...upTo(depth).map((layer) => [layer, layer]), [depth, "all: rollout"]];
  const headsAndMean = [...upTo(heads).map((head) => [head, head]), [heads, "mean of the heads"]];
  const layerSelect = selectFor(model, on, "layer", "Layer", layers);
  const headSelect = selectFor(model, on, "head", "Head", headsAndMean);
  const directions = ["looks at", "is looked at by"].map((each) => [each, each]);
  const directionSelect = selectFor(model, on, "direction", "Direction", directions);
  const scaleCheck = checkFor(model, on, "shared_scale", "One scale for all maps of this picture");
  const answer = make("p", { "aria-live": "polite" });

  const layer = (name) => make("canvas", { class: name, "aria-hidden": "true" });
  const picture = layer("picture"), below = layer("below"), over = layer("over"), map = layer("map");
  const patchName = (row, column) => `patch row ${row}, column ${column}`;
  const patches = buttonGrid(rows, columns, "Patches", patchName, (patch) => pick(first + patch));
  const prefixButtons = prefix.map((name, token) =>
    make("button", { type: "button", class: "text-button", onclick: () => pick(token) }, name),
  );
  const numbered = rows <= MOST_NUMBERS && columns <= MOST_NUMBERS;
  const cells = numbered ? upTo(rows * columns).map(() => make("span")) : [];
  const markers = [0, 1].map(() => make("div", { class: "marker" }));
  const scale = SIDE / Math.max(height, width);
  const box = (...inside) => stack(width * scale, height * scale, ...inside);
  const onPicture = box(picture, patches.element);
  onPicture.classList.add("patches");
  const maps = [box(below, over, markers[0]), box(map, make("div", { class: "numbers" }, ...cells), markers[1])];
  for (const each of maps) {
    each.classList.add("pickable"); // by mouse; the keyboard has the buttons on the picture
    each.addEventListener("click", ({ clientX, clientY }) => {
      const at = each.getBoundingClientRect();
      const row = Math.floor((rows * (clientY - at.top)) / at.height);
      pick(first + row * columns + Math.floor((columns * (clientX - at.left)) / at.width));
    });
  }

  const note = (...content) => make("div", { class: "note" }, ...content);
  const onPrefix = note(), scaleNote = note();
  const bar = colourBar(palette);
  const colours = bar.element.querySelector("canvas");
  const uniformMark = make("div", { class: "uniform" });
  const bed = stack(130, 12, uniformMark);
  colours.replaceWith(bed);
  bed.prepend(colours);
  const pictures = [
    panel("Pick a token", onPicture, make("div", { class: "note prefix" }, ...prefixButtons)),
    panel("", maps[0]),
    panel("", maps[1], onPrefix, bar.element, scaleNote),
  ];
  for (const each of pictures) each.element.classList.add("picture-panel");

  const across = Math.min(46, Math.floor(600 / (heads + 1)));
  const down = (across * rows) / columns;
  const thumbs = upTo(depth * (heads + 1)).map(() => layer("thumb"));
  const largest = thumbs.map(() => make("span"));
  const inTiles = thumbs.map((canvas, index) => make("div", {}, canvas, largest[index]));
  const small = make("div", { class: "small", "aria-hidden": "true" }, ...inTiles);
  small.style.grid = `auto-flow ${down + BELOW}px / repeat(${heads + 1}, ${across}px)`;
  const overview = buttonGrid(depth, heads + 1, "Layers and heads", nameOf, (index) => {
    const [layer, head] = inOverview(index);
    put(model, "layer", layer);
    put(model, "head", head);
  });
  const edge = (grid, names) => {
    const element = make("div", { class: "edge", "aria-hidden": "true" }, ...names.map((name) => make("span", {}, `${name}`)));
    element.style.grid = grid;
    return element;
  };
  const overviewPanel = panel(
    "All layers (rows) and heads (columns); below each map its largest weight",
    make(
      "div",
      { class: "overview" },
      make("span", { "aria-hidden": "true" }, "layer"),
      edge(`auto / repeat(${heads + 1}, ${across}px)`, [...upTo(heads), "mean"]),
      edge(`repeat(${depth}, ${down + BELOW}px) / auto`, upTo(depth)),
      stack(across * (heads + 1), (down + BELOW) * depth, small, overview.element),
    ),
  );

  const status = statusLine();
  const distance = make("p");
  const caution = note("A map shows how much is taken in one step. It does not show what that does to the answer.");
  const details = get("details");
  root.classList.add("attention");
  root.style.setProperty("--rows", rows);
  root.style.setProperty("--columns", columns);
  const chosen = details ? [layerSelect, headSelect, directionSelect, scaleCheck] : [scaleCheck];
  root.append(
    make("div", { class: "controls" }, ...pictureControls(model, on), ...chosen.map((each) => each.element)),
    answer,
    make(
      "div",
      { class: "panels" },
      ...[...pictures, ...(details ? [overviewPanel] : [])].map((each) => each.element),
      make("div", { class: "words" }, status.element, ...(details ? [distance] : []), caution),
    ),
  );

  // ------------------------------------------------------------------ drawing
  const drawMaps = (values, top) => {
    const query = get("query");
    paintMap(map, values, rows, columns, palette, 0, top);
    paintTint(over, values, rows, columns, top);
    cells.forEach((cell, patch) => {
      cell.textContent = (100 * values[patch]).toFixed(values[patch] < 0.0995 ? 1 : 0);
      cell.style.color = inkOn(palette, values[patch], 0, top);
    });
    for (const marker of markers) {
      marker.hidden = query < first;
      marker.style.left = `${(100 * ((query - first) % columns)) / columns}%`;
      marker.style.top = `${(100 * Math.floor((query - first) / columns)) / rows}%`;
    }
    patches.select(query < first ? -1 : query - first);
    prefixButtons.forEach((button, token) => button.setAttribute("aria-pressed", String(token === query)));
  };
  const drawOverview = (layer, head) => {
    headSelect.element.querySelector("select").disabled = layer === depth; // the rollout has no heads
    thumbs.forEach((canvas, index) => {
      const values = valuesOf(...inOverview(index)).subarray(first);
      paintMap(canvas, values, rows, columns, palette, 0, topOf(values));
      largest[index].textContent = `${(100 * Math.max(...values)).toFixed(0)}%`;
    });
    overview.select(layer === depth ? -1 : layer * (heads + 1) + head);
    const what = layer === depth ? "Rollout" : head === heads ? "Mean of the heads" : "This head";
    const alike = get("uniform_distance").toFixed(1);
    distance.textContent = `${what}, over all patches: ${far(layer, head)} (${alike} if all were alike).`;
  };
  const draw = () => {
    const layer = get("layer"), head = get("head"), query = get("query");
    const looks = get("direction") === "looks at";
    const values = valuesOf(layer, head), onPatches = values.subarray(first);
    const top = topOf(onPatches);
    drawMaps(onPatches, top);
    if (details) drawOverview(layer, head);

    pictures[1].caption.textContent = looks ? "Where it looks (orange)" : "Who looks at it (orange)";
    pictures[2].caption.textContent = numbered ? "The same map in %" : "The same map";
    onPrefix.textContent = prefix.map((name, token) => `${name}: ${percent(values[token])}`).join("; ");
    bar.label("0%", percent(top));
    uniformMark.style.left = `${(100 * uniform) / top}%`;
    const scaleName = get("shared_scale") ? "One scale for all maps." : "Each map has its own scale.";
    scaleNote.textContent = `Line: uniform, 1/${tokens} = ${percent(uniform)}. ${scaleName}`;

    const best = upTo(onPatches.length).sort((a, b) => onPatches[b] - onPatches[a]).slice(0, 3);
    const who = query < first ? `the ${prefix[query]}` : `the patch in ${place(query - first)}`;
    const places = best.map((patch) => `${place(patch)} (${percent(onPatches[patch])})`).join(", ");
    const others = prefix.map((name, token) => `; ${name} ${percent(values[token])}`).join("");
    const mean = looks ? "" : ` The mean over all tokens is ${percent(values.reduce((a, b) => a + b) / tokens)}.`;
    const verb = looks ? "looks most at" : "is looked at most by";
    status.say(`${nameOf(layer, head)}: ${who} ${verb} ${places}${others}.${mean} Uniform would be ${percent(uniform)}.`);
    painted();
  };
  const load = () => {
    weights = numbers(model, "weights", Uint16Array);
    distances = numbers(model, "distances", Float32Array);
    const size = 3 * height * width, shown = get("answered");
    const pixels = numbers(model, "pictures", Uint8Array).subarray(shown * size, (shown + 1) * size);
    paintPicture(picture, pixels, height, width);
    paintPicture(below, pixels, height, width);
    const [best, ...others] = get("answer").map(([name, probability]) => `${name} ${(100 * probability).toFixed(0)}%`);
    answer.replaceChildren("The model says ", make("strong", {}, best), ...others.map((each) => `, ${each}`), ".");
    overview.buttons.forEach((button, index) => {
      button.title = `${nameOf(...inOverview(index))}: ${far(...inOverview(index))}`;
      button.setAttribute("aria-label", button.title);
    });
    draw();
  };
  on("answered", load);
  on("layer head query direction shared_scale", draw);
  load();
});
