// Controls and landmarks in sight that have no accessible name.
() => [...document.querySelectorAll('a, button, input, select, summary, [tabindex="0"], [role=img], dialog, nav, [role=search]')]
    .filter((one) => one.checkVisibility())
    .filter((one) => {
        const by = (one.getAttribute('aria-labelledby') || '').split(' ').map((id) => document.getElementById(id)?.textContent || '').join('');
        const label = one.labels && [...one.labels].map((label) => label.textContent).join('');
        return !(by || one.getAttribute('aria-label') || label || (!one.matches('select, input') && one.textContent)).trim();
    }).map((one) => one.outerHTML.slice(0, 120))
