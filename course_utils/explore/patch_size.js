// One picture, one model, patches of several sizes. All answers are here: no move of the slider asks the kernel.
const SIDE = 256; // of the picture, in CSS pixels
const LONGEST_BAR = 160;

const render = explorer(({ model, root, on, painted }) => {
  const [height, width] = model.get("picture_size"), sizes = model.get("sizes"), own = model.get("own_size");
  const scale = SIDE / Math.max(height, width);
  const at = () => sizes.indexOf(model.get("patch_size"));

  const picture = make("canvas", { class: "picture", "aria-hidden": "true" });
  const lines = make("div", { class: "lines", "aria-hidden": "true" });
  const input = make("input", {
    type: "range", min: 0, max: sizes.length - 1, step: 1,
    oninput: () => put(model, "patch_size", sizes[Number(input.value)]),
  });
  const output = make("output", { "aria-hidden": "true" }); // the slider itself says it
  const body = make("tbody");
  const head = ["class", "probability"].map((text) => make("th", { scope: "col" }, text));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), body);
  const left = panel("", stack(width * scale, height * scale, picture, lines)), right = panel("What the model says", table);
  const palette = numbers(model, "palette", Uint8Array), bar = colourBar(palette);
  const map = make("canvas", { class: "map", "aria-hidden": "true" });
  const middle = panel("", stack(width * scale, height * scale, map), bar.element);
  const status = statusLine();

  const draw = () => {
    const p = sizes[at()], cost = model.get("costs")[at()], classes = model.get("classes");
    const shares = model.get("probabilities")[at()], best = shares.indexOf(Math.max(...shares));
    const weights = model.get("maps")[at()], top = Math.max(...weights), time = model.get("milliseconds")[at()].toFixed(1);
    paintMap(map, weights, height / p, width / p, palette, 0, top);
    middle.caption.textContent = `Where it looks: last layer, mean of the heads`;
    bar.label("0%", `${(100 * top).toFixed(1)}%`);
    lines.style.backgroundSize = `${p * scale}px ${p * scale}px`;
    left.caption.textContent = `The picture: ${height / p} × ${width / p} patches`;
    input.value = at();
    output.textContent = `${p} × ${p} pixels${p === own ? " (trained)" : ""}`;
    input.setAttribute("aria-valuetext", output.textContent);
    body.replaceChildren(
      ...classes.map((name, place) => {
        const bar = make("i", { style: `width: ${LONGEST_BAR * shares[place]}px` });
        const share = make("div", { class: "share" }, bar, `${(100 * shares[place]).toFixed(0)}%`);
        const row = make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, share));
        row.setAttribute("aria-current", String(place === best));
        return row;
      }),
    );
    status.say(
      `${cost.patches} patches of ${p} × ${p} pixels, ${time} ms: the model says ${classes[best]}, ` +
      `${(100 * shares[best]).toFixed(0)}%. It was trained with ${own ? `${own} × ${own}` : "all of these sizes"}.`,
    );
    painted();
  };
  const drawAll = () => {
    const pixels = numbers(model, "pictures", Uint8Array), size = 3 * height * width, first = size * model.get("image");
    paintPicture(picture, pixels.subarray(first, first + size), height, width);
    draw();
  };

  root.classList.add("patch-size");
  root.append(
    make("div", { class: "controls" }, ...pictureControls(model, on), make("label", {}, "Patch size", input, output)),
    make("div", { class: "panels" }, left.element, middle.element, right.element),
    status.element,
  );
  on("patch_size answered", draw);
  on("image pictures", drawAll);
  drawAll();
});
