/* The excerpts of `charlm neurons`, each coloured by a unit, below one another. */
  // `excerpts` is what `neurons_page.excerpts` makes.
  function showExcerpts(excerpts, container) {
    function append(parent, tag, text, className) {
      const element = document.createElement(tag);
      if (text !== undefined) element.textContent = text;
      if (className) element.className = className;
      parent.append(element);
      return element;
    }

    excerpts.forEach((excerpt, number) => {
      append(container, "h2", excerpt.property).id = `property-${number}`;
      const about = append(container, "p", excerpt.about + " ");
      for (const share of [-1, 0, 1]) addMark(about, (excerpt.middle + share * excerpt.reach).toFixed(2), share);
      const text = append(container, "div", undefined, "text");
      excerpt.texts.forEach((tokenText, index) => {
        const token = append(text, "span", tokenText, excerpt.yes && excerpt.held[index] ? "holds" : "");
        setShade(token, (excerpt.values[index] - excerpt.middle) / excerpt.reach);
        token.dataset.index = index;
      });
      const describe = (index) =>
        `${JSON.stringify(excerpt.texts[index])}   unit ${excerpt.values[index].toFixed(3)}\n` +
        `${excerpt.property}: ${excerpt.yes ? (excerpt.held[index] ? "yes" : "no") : excerpt.held[index]}`;
      explore(text, () => excerpt.texts.length, (index) => text.children[index], describe);
    });
  }
