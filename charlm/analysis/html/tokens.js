/* What the tokens of all pages do: their shades, their blocks, and their descriptions on hover, on tap and by keys. */
  function setShade(element, share) {
    if (Math.abs(share) < 0.005) return;
    element.classList.add(share > 0 ? "warm" : "cool");
    element.style.setProperty("--share", `${Math.min(100, 100 * Math.abs(share)).toFixed(0)}%`);
  }

  function addMark(parent, label, share) {
    const mark = document.createElement("span");
    mark.textContent = label.replace("-", "−");
    mark.className = "mark";
    setShade(mark, share);
    parent.append(mark, " ");
  }

  // Appends tokens to a text in blocks, one for each line: when a token is added, the browser lays out the tokens of
  // the last block alone. With all tokens in one block it would lay out all of them again. The style makes them
  // inline blocks, because others would add line ends to what a screen reader reads.
  function appendTokens(text, tokens) {
    let block = text.lastElementChild;
    for (const token of tokens) {
      if (!block || block.lastElementChild.textContent.endsWith("\n")) {
        block = document.createElement("div");
        block.className = "line";
        text.append(block);
      }
      block.append(token);
    }
  }

  const tip = document.getElementById("tip"), cursor = document.getElementById("cursor");
  let current = null;

  const place = (element) => element.getClientRects()[0] ?? element.getBoundingClientRect();

  // The cursor frames the current token: to change the token itself would lay out the whole of a long text again.
  // The tip is below the token, or above it where the window ends.
  function placeTip() {
    const { left, top, bottom, width, height } = place(current);
    Object.assign(cursor.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    const below = bottom + 8 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${below ? bottom + 8 : top - tip.offsetHeight - 8}px`;
  }

  function closeTip() {
    tip.style.display = cursor.style.display = "none";
    current = null;
  }

  // Let the user explore the tokens of a text, `count()` so far: `elementOf(index)` has `data-index`, and
  // `describe(index)` is its tip.
  function explore(text, count, elementOf, describe) {
    let last = 0; // the token that was shown last

    function show(index) {
      last = index;
      current = elementOf(index);
      tip.textContent = describe(index);
      tip.style.display = cursor.style.display = "block";
      placeTip();
    }

    // The token above or below: of the next line in this direction, the one that begins nearest to the current one.
    function onNextLine(direction) {
      const start = place(elementOf(last)), apart = (one, other) => Math.abs(one.top - other.top) > start.height / 2;
      let line = null, best = last, nearest = Infinity;
      for (let index = last + direction; index >= 0 && index < count(); index += direction) {
        const here = place(elementOf(index));
        if (line === null && !apart(here, start)) continue;
        line ??= here;
        if (apart(here, line)) break;
        if (Math.abs(here.left - start.left) < nearest) [best, nearest] = [index, Math.abs(here.left - start.left)];
      }
      return best;
    }

    const moves = {
      ArrowLeft: () => Math.max(0, last - 1), ArrowRight: () => Math.min(count() - 1, last + 1),
      ArrowUp: () => onNextLine(-1), ArrowDown: () => onNextLine(1),
    };
    text.addEventListener("keydown", (event) => {
      if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey || !count()) return;
      event.preventDefault();
      const index = current && text.contains(current) ? moves[event.key]() : last;
      elementOf(index).scrollIntoView({ block: "nearest" });
      show(index);
    });
    const showTarget = ({ target }) => target.dataset.index === undefined ? closeTip() : show(+target.dataset.index);
    text.addEventListener("pointerover", (event) => event.pointerType === "mouse" && showTarget(event));
    text.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && closeTip());
    text.addEventListener("click", showTarget);
    text.addEventListener("blur", closeTip);
    text.tabIndex = 0;
    text.setAttribute("role", "group");
    text.setAttribute("aria-label", "Text. The arrow keys move through it, and Escape closes the description.");
  }

  document.addEventListener("keydown", (event) => event.key === "Escape" && closeTip());
  document.addEventListener("click", (event) => event.target.closest(".text") || closeTip());
  for (const moved of ["scroll", "resize"]) window.addEventListener(moved, () => current && placeTip());
