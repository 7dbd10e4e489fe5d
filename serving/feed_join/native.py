"""Instructions that read and write memory by address, for compiled code."""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_intrinsic: Callable[[Callable[..., Any]], Any] = intrinsic
_INTEGER_32, _INTEGER_64 = ir.IntType(32), ir.IntType(64)


# Inlined into its callers: only functions that Python calls need a cache.
compiled: Callable[[Callable[..., Any]], Any] = numba.njit(error_model="numpy")


def _pointer(builder: Any, address: Any, n_bits: int) -> Any:
    return builder.inttoptr(address, ir.IntType(n_bits).as_pointer())


def _load(n_bits: int) -> Any:
    """Compiles to a load of an unsigned little-endian integer at any address, aligned or not."""

    def load(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = builder.load(_pointer(builder, arguments[0], n_bits), align=1)
            return value if n_bits == 64 else builder.zext(value, _INTEGER_64)

        return types.int64(types.int64), generate

    return _intrinsic(load)


def _store(n_bits: int) -> Any:
    """Compiles to a store of an integer at any address."""

    def store(typing_context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
            kept = builder.trunc(arguments[1], ir.IntType(n_bits))
            builder.store(kept, _pointer(builder, arguments[0], n_bits), align=1)

        return types.void(types.int64, types.int64), generate

    return _intrinsic(store)


u8, u16, u32, i64 = _load(8), _load(16), _load(32), _load(64)
put_u8, put_u16 = _store(8), _store(16)


@_intrinsic
def copy(typing_context: Any, to: Any, source: Any, length: Any) -> Any:
    """memcpy; a few instructions if the length is a constant."""
    signature = types.void(types.int64, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        to, source, length = arguments
        target, origin = _pointer(builder, to, 8), _pointer(builder, source, 8)
        kind = ir.FunctionType(ir.VoidType(), [target.type, origin.type, _INTEGER_64, ir.IntType(1)])
        memcpy = builder.module.declare_intrinsic("llvm.memcpy", [target.type, origin.type, _INTEGER_64], kind)
        builder.call(memcpy, [target, origin, length, ir.IntType(1)(0)])

    return signature, generate


@_intrinsic
def prefetch(typing_context: Any, address: Any) -> Any:
    """Prefetches a cache line. Any address may be given: nothing is read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        address = _pointer(builder, arguments[0], 8)
        kind = ir.FunctionType(ir.VoidType(), [address.type, _INTEGER_32, _INTEGER_32, _INTEGER_32])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        # For reading, to be kept in all caches, of data.
        builder.call(prefetch, [address, _INTEGER_32(0), _INTEGER_32(3), _INTEGER_32(1)])

    return types.void(types.int64), generate
