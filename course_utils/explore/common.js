// What all explorers share. This file and an explorer's own are joined to one ES module: no import, no network.

/** Make an element: make("button", { type: "button", onclick: act }, "text", child). */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * Turn draw({ model, root, on, painted }) into the render function that anywidget calls.
 * on("a b", act) calls act after a change of trait a or b; painted() says that the explorer has been drawn anew.
 */
function explorer(draw) {
  return ({ model, el }) => {
    const root = make("div", {
      class: "explorer",
      "data-lm-suppress-shortcuts": "true", // or JupyterLab takes the keys for its own
      onkeydown: (event) => event.stopPropagation(),
    });
    el.append(root);
    const listeners = [];
    const on = (traits, act) => {
      for (const trait of traits.split(" ")) {
        model.on(`change:${trait}`, act);
        listeners.push([`change:${trait}`, act]);
      }
    };
    const painted = () => {
      root.dataset.paints = Number(root.dataset.paints ?? 0) + 1;
      root.dispatchEvent(new CustomEvent("painted", { bubbles: true }));
    };
    draw({ model, root, on, painted });
    return () => listeners.forEach(([name, act]) => model.off(name, act));
  };
}

/** Set a trait here and in the kernel. Listeners here are called at once. */
function put(model, trait, value) {
  model.set(trait, value);
  model.save_changes();
}

/** The bytes of a trait as a typed array. They arrive as a view at any offset, so they are copied first. */
function numbers(model, trait, Type) {
  const { buffer, byteOffset, byteLength } = model.get(trait);
  return new Type(buffer.slice(byteOffset, byteOffset + byteLength));
}

// ------------------------------------------------------------------ controls

/** A labelled select; options: [[value, text], ...]. Call fill(options) when there are others. */
function selectFor(model, on, trait, label, options) {
  const select = make("select");
  const show = () => (select.value = String(model.get(trait)));
  const fill = (pairs) => {
    select.replaceChildren(...pairs.map(([value, text]) => make("option", { value: String(value) }, text)));
    show();
  };
  select.addEventListener("change", () => {
    const number = typeof model.get(trait) === "number";
    put(model, trait, number ? Number(select.value) : select.value);
  });
  on(trait, show);
  fill(options);
  return { element: make("label", {}, label, select), fill };
}

/** A labelled slider over whole numbers from 0; text(value) is shown beside it and told to screen readers. */
function sliderFor(model, on, trait, label, last, text) {
  const input = make("input", { type: "range", min: 0, max: last, step: 1 });
  const output = make("output", { "aria-hidden": "true" }); // the slider itself says it
  const show = () => {
    input.value = model.get(trait);
    output.textContent = text(model.get(trait));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => put(model, trait, Number(input.value)));
  on(trait, show);
  show();
  return { element: make("label", {}, label, input, output), input };
}

/** A labelled check box for a trait that is true or false. */
function checkFor(model, on, trait, label) {
  const input = make("input", { type: "checkbox", onchange: () => put(model, trait, input.checked) });
  const show = () => (input.checked = model.get(trait));
  on(trait, show);
  show();
  return { element: make("label", {}, input, label), input };
}

/** The choice of a picture, and a button to bring one's own (where a kernel runs that can read it). */
function pictureControls(model, on) {
  const options = () => model.get("names").map((name, index) => [index, name]);
  const pictures = selectFor(model, on, "image", "Picture", options());
  on("names", () => pictures.fill(options()));
  if (model.withoutKernel) return [pictures.element];
  const file = make("input", { type: "file", accept: "image/*", hidden: true, tabindex: -1, "aria-hidden": "true" });
  const button = make("button", { type: "button", class: "text-button", onclick: () => file.click() }, "Your own picture…");
  const note = make("span", { role: "alert" });
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    file.value = ""; // so that the same file can be chosen again
    if (!chosen) return;
    if (chosen.size > model.get("largest_upload")) {
      const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
      note.textContent = `This file has ${megabytes(chosen.size)}, and ${megabytes(model.get("largest_upload"))} is the most that fits: make a smaller copy first.`;
      return;
    }
    model.set("message", "Reading…"); // set, or the same answer as to the last file would be no change
    put(model, "upload", new DataView(await chosen.arrayBuffer()));
  });
  on("message", () => (note.textContent = model.get("message")));
  return [pictures.element, button, file, note];
}

/**
 * A grid of buttons with one tab stop. Arrow keys, Home and End move; what has the focus is picked, and so is a click.
 * label(row, column) is what a screen reader says; pick(index) is called with the place in raster order.
 */
function buttonGrid(rows, columns, name, label, pick) {
  const buttons = [];
  const grid = make("div", { class: "grid", role: "grid", "aria-label": name });
  for (let row = 0; row < rows; row++) {
    const line = make("div", { role: "row" });
    for (let column = 0; column < columns; column++) {
      const index = row * columns + column;
      const button = make("button", { type: "button", tabindex: -1, "aria-label": label(row, column) });
      button.addEventListener("click", () => pick(index));
      buttons.push(button);
      line.append(make("div", { role: "gridcell", "aria-selected": "false" }, button));
    }
    grid.append(line);
  }
  grid.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target);
    const column = at % columns;
    const to = {
      ArrowLeft: column > 0 ? at - 1 : at,
      ArrowRight: column < columns - 1 ? at + 1 : at,
      ArrowUp: at >= columns ? at - columns : at,
      ArrowDown: at < columns * (rows - 1) ? at + columns : at,
      Home: event.ctrlKey || columns === 1 ? 0 : at - column,
      End: event.ctrlKey || columns === 1 ? buttons.length - 1 : at - column + columns - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    pick(to);
    buttons[to].focus();
  });
  /** Mark one place, or none (-1). The tab stop goes with it. */
  let stop = 0;
  const select = (index) => {
    const mark = (place, selected, tabIndex) => {
      buttons[place].parentElement.setAttribute("aria-selected", String(selected));
      buttons[place].tabIndex = tabIndex;
    };
    mark(stop, false, -1); // only what changes: there may be a thousand
    stop = Math.max(index, 0);
    mark(stop, index >= 0, 0);
  };
  select(-1);
  return { element: grid, buttons, select };
}

/** A line that says in words what is to be seen. Screen readers read it aloud when it changes. */
function statusLine() {
  const element = make("p", { role: "status" });
  return { element, say: (text) => (element.textContent = text) };
}

/** A picture with a caption: figure > figcaption, content. */
function panel(caption, ...content) {
  const text = make("figcaption", {}, caption);
  return { element: make("figure", {}, text, ...content), caption: text };
}

/** Layers over each other in a box of so many CSS pixels. */
function stack(width, height, ...layers) {
  return make("div", { class: "stack", style: `width: ${width}px; height: ${height}px` }, ...layers);
}

// ------------------------------------------------------------------ painting: one canvas pixel for each value

const TINT = [255, 140, 0]; // of a map over a picture, as in course_utils/plots: TINT and MOST_TINT
const MOST_TINT = 0.85;

/** Paint pixels (height x width x 3, bytes). */
function paintPicture(canvas, pixels, height, width) {
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
    for (let colour = 0; colour < 3; colour++) image.data[to + colour] = pixels[from + colour];
    image.data[to + 3] = 255;
  }
  putImage(canvas, image);
}

/** Paint values (rows x columns) with a palette of 256 colours: low is the first colour, high the last. */
function paintMap(canvas, values, rows, columns, palette, low, high) {
  const image = new ImageData(columns, rows);
  for (let place = 0; place < rows * columns; place++) {
    const from = 3 * levelOf(values[place], low, high);
    for (let colour = 0; colour < 3; colour++) image.data[4 * place + colour] = palette[from + colour];
    image.data[4 * place + 3] = 255;
  }
  putImage(canvas, image);
}

/** Paint values (rows x columns) in orange, to lie over a picture: 0 hides nothing of it, and high most. */
function paintTint(canvas, values, rows, columns, high) {
  const image = new ImageData(columns, rows);
  for (let place = 0; place < rows * columns; place++) {
    image.data.set(TINT, 4 * place);
    image.data[4 * place + 3] = 255 * MOST_TINT * Math.min(1, values[place] / high);
  }
  putImage(canvas, image);
}

/** Which of 256 colours stands for a value. */
function levelOf(value, low, high) {
  return high > low ? Math.max(0, Math.min(255, Math.floor((256 * (value - low)) / (high - low)))) : 0;
}

function putImage(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** A colour bar with its two ends written beside it; without a palette, of the orange. Call label(low, high) when they change. */
function colourBar(palette = null) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const levels = Float32Array.from({ length: 256 }, (_, i) => i);
  if (palette) paintMap(canvas, levels, 1, 256, palette, 0, 256);
  else paintTint(canvas, levels, 1, 256, 255);
  const low = make("span"), high = make("span");
  const label = (from, to) => ([low.textContent, high.textContent] = [from, to]);
  return { element: make("div", { class: "bar" }, low, canvas, high), label };
}

/** Black or white, whichever stands out more from a colour of the palette (WCAG 2, relative luminance). */
function inkOn(palette, value, low, high) {
  const from = 3 * levelOf(value, low, high);
  const [red, green, blue] = [0, 1, 2].map((colour) => {
    const part = palette[from + colour] / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}
