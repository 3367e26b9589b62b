"""The drawn catalogue: every picture of the demo shop is made here, from shapes, not photographs.

`canvas` owns light, colour and the way a solid is shaded; `stage` the room that things stand in;
the other modules hold one drawing function per kind of thing. A drawing is a function
`draw(sheet, **parameters)`; `gallery.render(...)` turns a product's drawing into its pictures. The
same parameters give the same bytes, so the files can be committed and compared.
"""
