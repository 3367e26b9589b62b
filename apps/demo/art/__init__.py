"""The pictures of the demo shop, drawn as SVG.

`canvas` has the colours, the shading and the shapes; `stage` the background; the other modules one
drawing function for each kind of product. A drawing is a function `draw(sheet, **parameters)`;
`gallery` turns a product's drawing into its pictures. The same parameters give the same bytes, so
the files can be committed and compared.
"""
