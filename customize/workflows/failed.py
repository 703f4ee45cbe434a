# A note says why nothing was done. A function that has begun writes a note of its own; one that was refused has an error.
if not results.success and (not results.content or results.content.get("error")):
    add_note(u"nothing was changed", [escaped(results.reason or u"The call failed.")])
