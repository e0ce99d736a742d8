#pragma once
/* Asks the processor to bring a cache line near; Swift has no word for it. */
static inline void weir_prefetch(const void *address) { __builtin_prefetch(address, 1, 1); }
