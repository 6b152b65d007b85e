// How many texts were looked at, and those whose contrast with what is behind them is under 4.5 (WCAG 1.4.3).
() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const found = rgba(getComputedStyle(one).backgroundColor);
            if (found[3] === 255) return found;
        }
        return [255, 255, 255, 255];
    };
    const low = [];
    let seen = 0;
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility() || element.closest('script, option')) continue;
        const style = getComputedStyle(element);
        const front = rgba(element instanceof SVGElement ? style.fill : style.color);
        const [a, b] = [luminance(front), luminance(behind(element))].sort((x, y) => y - x);
        seen++;
        if ((a + 0.05) / (b + 0.05) < 4.5) low.push([element.outerHTML.slice(0, 120), ((a + 0.05) / (b + 0.05)).toFixed(2)]);
    }
    return [seen, low];
}
