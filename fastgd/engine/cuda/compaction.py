"""Moving the survivors of a launch together, in the order they had.

Each block of threads counts its own.  A sum over the counts tells where a block's survivors begin, and a sum within the
block where each one goes: no atomic operation, so the order never depends on which block ran first.
"""

from __future__ import annotations

import functools

import numba
from numba import cuda

from fastgd.jit.cuda import DeviceKernel

from .kernels import TAG_RUN, WARP

__all__ = ["make_count", "make_place", "make_scan"]


@functools.cache
def make_count() -> DeviceKernel:
    """``count(tags, slots, counts)``: how many survivors each block of threads has."""

    def count(tags, slots, counts):
        i = cuda.grid(1)
        alive = numba.int32(0)
        if i < slots and tags[i // WARP, TAG_RUN, i % WARP] >= 0:
            alive = numba.int32(1)
        total = cuda.syncthreads_count(alive)
        if cuda.threadIdx.x == 0:
            counts[cuda.blockIdx.x] = total

    return DeviceKernel(count, "survivors count")


@functools.cache
def make_scan(threads: int) -> DeviceKernel:
    """``scan(counts, blocks, offsets, total)``: sums of the counts before each, by one block of so many threads."""

    def scan(counts, blocks, offsets, total):
        shared = cuda.shared.array(threads, numba.int64)
        i = cuda.threadIdx.x
        before = numba.int64(0)
        for low in range(0, blocks, threads):
            mine = numba.int64(0)
            if low + i < blocks:
                mine = numba.int64(counts[low + i])
            shared[i] = mine
            cuda.syncthreads()
            reach = 1
            while reach < threads:  # shared[i] becomes the sum of the last 2, 4, 8, ... up to i
                left = numba.int64(0)
                if i >= reach:
                    left = shared[i - reach]
                cuda.syncthreads()
                shared[i] += left
                cuda.syncthreads()
                reach *= 2
            if low + i < blocks:
                offsets[low + i] = before + shared[i] - mine
            before += shared[threads - 1]
            cuda.syncthreads()
        if i == 0:
            total[0] = before

    return DeviceKernel(scan, f"{threads} threads scan")


@functools.cache
def make_place(threads: int) -> DeviceKernel:
    """``place(tags, slots, offsets, order)``: the places of the survivors, in ascending order."""

    def place(tags, slots, offsets, order):
        shared = cuda.shared.array(threads, numba.int32)
        i, lane = cuda.grid(1), cuda.threadIdx.x
        alive = numba.int32(0)
        if i < slots and tags[i // WARP, TAG_RUN, i % WARP] >= 0:
            alive = numba.int32(1)
        shared[lane] = alive
        cuda.syncthreads()
        reach = 1
        while reach < threads:
            left = numba.int32(0)
            if lane >= reach:
                left = shared[lane - reach]
            cuda.syncthreads()
            shared[lane] += left
            cuda.syncthreads()
            reach *= 2
        if alive > 0:
            order[offsets[cuda.blockIdx.x] + shared[lane] - 1] = i

    return DeviceKernel(place, f"{threads} threads place")

