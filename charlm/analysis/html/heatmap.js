/* The heat map of a reading: fills an element with its tokens, those in view first, and describes each. */
  // `data` is what `heatmap_page.reading_data` makes; the legend of the colours goes into `scale`.
  function showHeatmap(data, text, scale) {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
    const places = new Uint32Array(bytes(data.places)), bits = new Uint16Array(bytes(data.bits));
    const likeliest = new (data.wide ? Uint32Array : Uint16Array)(bytes(data.likeliest));
    const probabilities = new Uint8Array(bytes(data.probabilities));
    const values = data.values ? new Float32Array(bytes(data.values)) : null;
    const CHUNK = 4000;

    function fill(chunk) {
      if (chunk.childElementCount) return;
      chunk.textContent = "";
      const first = +chunk.dataset.first, last = Math.min(places.length, first + CHUNK);
      for (let index = first; index < last; index++) {
        const token = document.createElement("span");
        token.textContent = data.texts[places[index]];
        setShade(token, ((values ? values[index] : bits[index] / 1000) - data.middle) / data.reach);
        token.dataset.index = index;
        chunk.append(token);
      }
    }

    const fillVisible = (entries) => entries.forEach((entry) => entry.isIntersecting && fill(entry.target));
    const observer = new IntersectionObserver(fillVisible, { rootMargin: "1500px" });
    for (let first = 0; first < places.length; first += CHUNK) {
      const chunk = document.createElement("span");
      chunk.dataset.first = first;
      let plain = "";
      for (let index = first; index < Math.min(places.length, first + CHUNK); index++) plain += data.texts[places[index]];
      chunk.textContent = plain;
      text.append(chunk);
      observer.observe(chunk);
    }

    function elementOf(index) {
      const chunk = text.children[Math.floor(index / CHUNK)];
      fill(chunk);
      return chunk.children[index % CHUNK];
    }

    const quote = (text) => text === "" ? "(end of text)" : JSON.stringify(text);
    function describe(index) {
      const lines = [`${quote(data.texts[places[index]])}   ${(bits[index] / 1000).toFixed(2)} bits`];
      if (values) lines.push(`${data.gate ? "gate" : "unit"} ${values[index].toFixed(3)}`);
      for (let k = 0; k < data.alternatives; k++) {
        const at = index * data.alternatives + k;
        lines.push(`${(probabilities[at] / 2.55).toFixed(0).padStart(3)}%  ${quote(data.vocabulary[likeliest[at]])}`);
      }
      return lines.join("\n");
    }

    explore(text, () => places.length, elementOf, describe);
    for (const [label, share] of data.marks) addMark(scale, label, share);
  }
