# A note says why nothing was done. A function that has begun writes a note of its own, and has a content.
if not results.success and not results.content:
    add_note(u"nothing was changed", [escaped(results.reason or u"The call failed.")])
