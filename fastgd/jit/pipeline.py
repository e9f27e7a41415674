"""A shorter way through Numba for functions that are only ever inlined into a kernel.

Numba makes an entry point for Python, a C entry point, optimized code and machine code of every compiled function.
A kernel here is put together from some forty of them, none of which is called from anywhere else: their LLVM code alone
is wanted, to be optimized once, inside the kernel.  That takes a third off the time to the first result.
"""

from __future__ import annotations

from typing import Any

from llvmlite.binding import ModuleRef
from numba.core.codegen import CPUCodeLibrary, JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

__all__ = ["InlinedCompiler", "KernelCompiler"]


class InlinedLibrary(CPUCodeLibrary):
    """LLVM code to be linked into other libraries: neither optimized nor turned into machine code on its own."""

    def _optimize_functions(self, ll_module: ModuleRef) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        """The kernel's own optimization sees this code."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class KernelLibrary(JITCodeLibrary):
    """A kernel's code, optimized once; the vectors are explicit, so nothing is left to LLVM's vectorizers."""

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager(loop_vectorize=False, slp_vectorize=False)
        passes.run(self._final_module, builder)


@register_pass(mutates_CFG=True, analysis_only=False)
class KernelLowering(NativeLowering):
    """Lowering into a `KernelLibrary`."""

    _name = "kernel_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = KernelLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().run_pass(state)


@register_pass(mutates_CFG=True, analysis_only=False)
class InlinedLowering(NativeLowering):
    """Lowering without entry points."""

    _name = "inlined_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = InlinedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = True
        super().run_pass(state)
        lowered = state["cr"]

        # Numba files compiled functions under a built-in callable of their own, which nobody is going to call
        stand_in = [state.func_id.func_name].copy
        state.targetctx.insert_user_function(stand_in, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=stand_in)
        return True


def usual_passes_but(lowering: Any, state: Any) -> list[Any]:
    """Numba's passes with the last of them replaced."""
    passes = DefaultPassBuilder.define_nopython_pipeline(state, name=lowering._name)
    place = [kind for kind, _ in passes.passes].index(NativeLowering)
    passes.passes[place] = (lowering, lowering.__doc__)
    passes._finalized = False
    passes.finalize()
    return [passes]


class InlinedCompiler(CompilerBase):
    """The compiler of functions that kernels inline."""

    lowering: type[NativeLowering] = InlinedLowering

    def define_pipelines(self) -> list[Any]:
        return usual_passes_but(self.lowering, self.state)


class KernelCompiler(CompilerBase):
    """The compiler of kernels."""

    def define_pipelines(self) -> list[Any]:
        return usual_passes_but(KernelLowering, self.state)
