"""The Numba types behind explicit SIMD: ``Lanes``, ``Mask`` and ``Rows``.

`Lanes` is a vector of W numbers, one for each of W runs that descend abreast; `Mask` says which of them are meant;
`Rows` is memory holding one `Lanes` for each parameter.  A width of 1 stands for plain scalars: there `Lanes` is the
number itself and `Mask` is a bool, so one source compiles to vectors and to scalars.  Where it is not to be `bare`, one
lane is a vector still: with the rounding of vectors, float32 beside float64 included, for targets that run one lane.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models, register_default
from numba.core.typeconv import Conversion

__all__ = ["Lanes", "Mask", "Rows", "RowsIterator", "lanes_type"]


class Lanes(types.Type):
    """W numbers of one dtype in a SIMD vector."""

    def __init__(self, dtype: types.Number, width: int) -> None:
        self.dtype, self.width = dtype, width
        super().__init__(name=f"Lanes({dtype}, {width})")

    def can_convert_from(self, typingctx: Any, other: types.Type) -> Conversion | None:
        """A number becomes the same number in every lane, and lanes become those that they meet with."""
        meets = isinstance(other, (types.Number, Lanes)) and self.unify(typingctx, other) == self
        return Conversion.promote if meets else None

    def unify(self, typingctx: Any, other: types.Type) -> types.Type | None:
        """A variable that starts as a number and takes lanes later, such as a sum over parameters, is lanes."""
        if isinstance(other, types.Number):
            whole = isinstance(self.dtype, types.Integer) and isinstance(other, types.Float)
            return Lanes(types.float64, self.width) if whole else self
        if isinstance(other, Lanes) and other.width == self.width:
            floats = [kind for kind in (self, other) if isinstance(kind.dtype, types.Float)]
            return min(floats, key=lambda kind: kind.dtype.bitwidth) if floats else None
        return None


class Mask(types.Type):
    """W truth values."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Mask({width})")


class Rows(types.IterableType):
    """A view of ``length`` rows of W numbers; indexing and iterating give `Lanes` (or numbers where W is 1).

    The memory begins at a multiple of 64 bytes, or just of the number's own size where it is not `aligned`.  From one
    row to the next it is `stride` numbers, W where nothing else is said.  An index outside raises where the rows are
    `checked`, as those that a function of the caller's is given; those of a GPU always are.
    """

    def __init__(
        self,
        dtype: types.Number,
        width: int,
        length: int,
        aligned: bool = True,
        bare: bool = True,
        stride: int | None = None,
        checked: bool = False,
        readonly: bool = False,
    ) -> None:
        self.dtype, self.width, self.length, self.aligned, self.bare = dtype, width, length, aligned, bare
        self.checked, self.readonly = checked or not bare, readonly
        self.stride = width if stride is None else stride
        self.lanes = lanes_type(dtype, width, bare)
        marks = ("" if aligned else ", unaligned") + ("" if bare else ", not bare")
        marks += "" if self.stride == width else f", every {stride}"
        marks += (", checked" if checked else "") + (", read-only" if readonly else "")
        super().__init__(name=f"Rows({dtype}, {width}, {length}{marks})")

    def guarded(self, readonly: bool) -> Rows:
        """The type of the same rows as a function of the caller's sees them."""
        sizes = self.dtype, self.width, self.length, self.aligned, self.bare, self.stride
        return Rows(*sizes, checked=True, readonly=readonly or self.readonly)

    @property
    def iterator_type(self) -> RowsIterator:
        return RowsIterator(self)


class RowsIterator(types.SimpleIteratorType):
    """What a loop over `Rows` advances."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        super().__init__(f"iter({rows})", rows.lanes)


def lanes_type(dtype: types.Number, width: int, bare: bool = True) -> types.Type:
    """The type of one row: `Lanes`, or the number itself for a width of 1 where it is to be `bare`."""
    return dtype if width == 1 and bare else Lanes(dtype, width)


@register_default(Lanes)
class LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        self.element = dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(self.element, fe_type.width))

    # In the memory of lists and the like: their allocator does not align as vector loads expect
    def get_data_type(self):
        return ir.ArrayType(self.element, self.be_type.count)

    def as_data(self, builder, value):
        data = ir.Constant(self.get_data_type(), ir.Undefined)
        for lane in range(self.be_type.count):
            number = builder.extract_element(value, ir.Constant(ir.IntType(32), lane))
            data = builder.insert_value(data, number, lane)
        return data

    def from_data(self, builder, value):
        lanes = ir.Constant(self.be_type, ir.Undefined)
        for lane in range(self.be_type.count):
            number = builder.extract_value(value, lane)
            lanes = builder.insert_element(lanes, number, ir.Constant(ir.IntType(32), lane))
        return lanes


@register_default(Mask)
class MaskModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(ir.IntType(1), fe_type.width))


@register_default(Rows)
class RowsModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        element = dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, element.as_pointer())


@register_default(RowsIterator)
class RowsIteratorModel(models.StructModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, [("index", types.EphemeralPointer(types.intp)), ("rows", fe_type.rows)])
