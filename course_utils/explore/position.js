// The position explorer: one position compared with all others, before and after training.

const MAP_SIDE = 288; // CSS pixels: two maps with the numbers at their edges fit beside each other
const EDGE = 18;
const NUMBERS_FIT = 30; // a cell of so many pixels has room for a number
const ORANGE = "#d55e00";

/** A number with two digits and a true minus; whole numbers without digits. */
function signed(value) {
  const text = value.toFixed(2);
  const whole = Number.isInteger(Number(text)); // also −0.00, which is 0
  return (whole ? String(Number(text) || 0) : text).replace("-", "−");
}

const render = explorer(({ model, root, on, painted }) => {
  const palette = numbers(model, "palette", Uint8Array);
  const tables = numbers(model, "tables", Int16Array); // (all moments, patches, patches)
  const [rows, columns] = model.get("grid");
  const patches = rows * columns;
  const longest = Math.max(rows, columns);
  const cell = Math.floor(MAP_SIDE / longest);
  const place = (index) => `row ${Math.floor(index / columns)}, column ${index % columns}`;
  const pick = (index) => put(model, "position", index);
  const show = (part, shown) => (part.element.style.display = shown ? "" : "none");

  const decoded = new Map();
  /** The numbers of a kind at a moment: (patches, patches), row = the picked position. */
  const tableOf = ({ first, limit }, moment) => {
    const size = patches * patches, at = first + moment;
    if (!decoded.has(at)) {
      const table = Float32Array.from(tables.subarray(at * size, (at + 1) * size));
      const step = limit / model.get("steps");
      for (let i = 0; i < size; i++) table[i] *= step;
      decoded.set(at, table);
    }
    return decoded.get(at);
  };

  /** A figure of one width, with the numbers of rows and columns at the edges of what it holds. */
  const mapPanel = (side, ...layers) => {
    const edge = (count, direction) => {
      const marks = Array.from({ length: count }, (_, i) => make("span", { style: `flex: 0 0 ${side}px; line-height: ${direction ? side : EDGE}px` }, String(i)));
      return make("div", { "aria-hidden": "true", style: `display: flex; flex-direction: ${direction || "row"}; font-size: 11px; text-align: center` }, ...marks);
    };
    const box = make("div", { style: `display: grid; grid-template-columns: ${EDGE}px auto; justify-content: start` },
      make("span"), edge(columns, ""), edge(rows, "column"), stack(side * columns, side * rows, ...layers));
    const part = panel("", box);
    part.element.style.width = `${MAP_SIDE + EDGE}px`;
    return part;
  };

  /** One number for each position, under a grid of buttons. */
  const oneMap = (name) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const grid = buttonGrid(rows, columns, name, (row, column) => place(row * columns + column), pick);
    const { element, caption } = mapPanel(cell, canvas, grid.element);
    const rule = (direction) => `repeating-linear-gradient(${direction}, var(--line) 0 1px, transparent 1px ${cell}px)`;
    const emptyCells = `${rule("to bottom")}, ${rule("to right")}`;
    const written = cell >= NUMBERS_FIT;
    grid.buttons.forEach((button) => (button.style.fontSize = "10.5px"));
    /** values (patches,), or null where there are none. */
    const draw = (title, values, limit) => {
      caption.textContent = title;
      canvas.style.visibility = values ? "" : "hidden";
      if (values) paintMap(canvas, values, rows, columns, palette, -limit, limit);
      grid.select(model.get("position"));
      grid.buttons.forEach((button, index) => {
        button.setAttribute("aria-label", values ? `${place(index)}: ${signed(values[index])}` : place(index));
        if (written) button.textContent = values ? signed(values[index]) : "";
        if (written && values) button.style.color = inkOn(palette, values[index], -limit, limit);
      });
      grid.element.style.background = values ? "" : emptyCells;
    };
    return { element, draw };
  };

  /** Small maps of all positions, laid out like the image. A click picks, as it does in the large map. */
  const allMaps = () => {
    const pitch = longest + 1; // cells from one small map to the next: there is a gap of one
    const unit = Math.max(1, Math.floor(cell / pitch)); // CSS pixels of a cell
    const canvas = make("canvas", { role: "img", style: "cursor: pointer" });
    const mark = make("div", { style: `inset: auto; pointer-events: none; width: ${columns * unit}px; height: ${rows * unit}px; box-shadow: 0 0 0 2px #fff, 0 0 0 4px #000` });
    const { element, caption } = mapPanel(unit * pitch, canvas, mark);
    canvas.addEventListener("click", ({ offsetX, offsetY }) => {
      pick(Math.floor(offsetY / (unit * pitch)) * columns + Math.floor(offsetX / (unit * pitch)));
    });
    const move = () => {
      mark.style.top = `${Math.floor(model.get("position") / columns) * pitch * unit}px`;
      mark.style.left = `${(model.get("position") % columns) * pitch * unit}px`;
    };
    let drawn;
    const draw = (title, table, limit) => {
      move();
      if (table === drawn) return; // the maps are the same whichever is picked
      drawn = table;
      caption.textContent = title;
      canvas.setAttribute("aria-label", title);
      canvas.width = columns * pitch;
      canvas.height = rows * pitch;
      const image = new ImageData(canvas.width, canvas.height); // the gaps stay transparent
      for (let from = 0; from < patches; from++) {
        const corner = Math.floor(from / columns) * pitch * image.width + (from % columns) * pitch;
        for (let to = 0; to < patches; to++) {
          const at = 4 * (corner + Math.floor(to / columns) * image.width + (to % columns));
          const share = (table[from * patches + to] / limit + 1) / 2;
          const level = 3 * Math.max(0, Math.min(255, Math.floor(share * 256)));
          for (let part = 0; part < 3; part++) image.data[at + part] = palette[level + part];
          image.data[at + 3] = 255;
        }
      }
      canvas.getContext("2d").putImageData(image, 0, 0);
    };
    return { element, draw };
  };

  /** The numbers along the row and along the column of the picked position, as two lines. */
  const profiles = () => {
    const drawing = make("div");
    const { element, caption } = panel("", drawing);
    const left = 40, width = MAP_SIDE + EDGE, height = MAP_SIDE + EDGE, foot = 38;
    const draw = (title, values, limit) => {
      const picked = model.get("position"), row = Math.floor(picked / columns), column = picked % columns;
      const alongRow = Array.from(values.subarray(row * columns, (row + 1) * columns));
      const alongColumn = Array.from({ length: rows }, (_, i) => values[i * columns + column]);
      caption.textContent = title;
      const x = (i) => left + (i + 0.5) * ((width - left) / longest);
      const y = (value) => 22 + ((limit - value) / (2 * limit)) * (height - 22 - foot);
      const line = (points, style) => `<polyline fill="none" stroke-width="2" points="${points.map((value, i) => `${x(i)},${y(value)}`).join(" ")}" ${style} />`;
      const dot = (x, y) => `<circle cx="${x}" cy="${y}" r="4" fill="currentColor" />`;
      const square = (x, y) => `<rect x="${x - 4}" y="${y - 4}" width="8" height="8" fill="${ORANGE}" />`;
      const text = (x, y, words, anchor = "middle") => `<text x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;
      const level = (value) => `<line x1="${left}" x2="${width}" y1="${y(value)}" y2="${y(value)}" stroke="currentColor" stroke-opacity="0.3" />`;
      const words = `along row ${row}: ${alongRow.map(signed).join(", ")}; along column ${column}: ${alongColumn.map(signed).join(", ")}`;
      drawing.innerHTML = `<svg role="img" aria-label="${words}" width="${width}" height="${height}" font-size="11" fill="currentColor" style="display: block">
        ${dot(left + 8, 6)} ${text(left + 18, 10, `along row ${row}`, "start")}
        ${square(left + 138, 6)} ${text(left + 148, 10, `along column ${column}`, "start")}
        ${[-limit, 0, limit].map((value) => level(value) + text(left - 6, y(value) + 4, signed(value), "end")).join("")}
        ${Array.from({ length: longest }, (_, i) => text(x(i), height - 20, i)).join("")}
        ${text((left + width) / 2, height - 4, "column along the row, row along the column")}
        ${line(alongColumn, `stroke="${ORANGE}" stroke-dasharray="6 4"`)} ${alongColumn.map((value, i) => square(x(i), y(value))).join("")}
        ${line(alongRow, 'stroke="currentColor"')} ${alongRow.map((value, i) => dot(x(i), y(value))).join("")}
      </svg>`;
    };
    return { element, draw };
  };

  /** What the other positions get: those with the highest numbers, and the one with the lowest. */
  const inWords = (values, time, count) => {
    const others = Array.from(values.keys()).filter((index) => index !== model.get("position"));
    others.sort((a, b) => values[b] - values[a]);
    const [best, worst] = [values[others[0]], values[others.at(-1)]].map(signed);
    if (best === worst) return `All others ${time}: ${best}.`;
    const name = (index) => `${place(index)} (${signed(values[index])})`;
    return `Highest of the others ${time}: ${others.slice(0, count).map(name).join("; ")}. Lowest: ${name(others.at(-1))}.`;
  };

  const options = Object.entries(model.get("kinds")).map(([name, { label }]) => [name, label]);
  const choice = selectFor(model, on, "kind", "Position code", options);
  const recorded = model.get("kinds").learned.moments;
  const slider = sliderFor(model, on, "epoch", "Training", recorded.length - 1, (moment) => recorded[moment]);
  const before = oneMap("Positions, before training"), after = oneMap("Positions"), overview = allMaps(), profile = profiles();
  const bar = colourBar(palette);
  const scale = make("span");
  bar.element.append(scale);
  const status = statusLine();
  const note = make("p");
  root.append(
    make("div", { class: "controls" }, choice.element, slider.element),
    note,
    make("div", { class: "panels", style: `max-width: ${2 * (MAP_SIDE + EDGE) + 48}px` }, before.element, after.element, overview.element, profile.element),
    bar.element,
    status.element,
  );

  const draw = () => {
    const kind = model.get("kinds")[model.get("kind")];
    const { label, measure, moments, limit } = kind;
    const picked = place(model.get("position")), title = picked.replace("r", "R");
    const moment = Math.min(model.get("epoch"), moments.length - 1);
    const row = (table) => table.subarray(model.get("position") * patches, (model.get("position") + 1) * patches);
    show(slider, moments.length > 1);
    show(before, moments.length > 1);
    [overview, profile, bar].forEach((part) => show(part, moments.length > 0));
    note.textContent = kind.note;
    if (!moments.length) {
      after.draw(`${title}: no code, no numbers`, null, limit);
      status.say(`Position code: ${label}. Picked: ${picked}. There is nothing to compare.`);
      painted();
      return;
    }
    const table = tableOf(kind, moment), values = row(table), time = moments[moment];
    after.draw(`${title} with all, ${time}`, values, limit);
    overview.draw(`Every position with all, ${time}`, table, limit);
    profile.draw(`${title}, ${time}`, values, limit);
    bar.label(signed(-limit), signed(limit));
    scale.textContent = `${measure}; white is 0`;
    const said = [`Position code: ${label}. Numbers: ${measure}. Picked: ${picked}.`];
    if (moments.length > 1) {
      const first = row(tableOf(kind, 0));
      before.draw(`${title} with all, ${moments[0]}`, first, limit);
      said.push(inWords(first, moments[0], 1));
    }
    status.say([...said, inWords(values, time, 4)].join(" "));
    painted();
  };
  on("kind position epoch", draw);
  draw();
});
