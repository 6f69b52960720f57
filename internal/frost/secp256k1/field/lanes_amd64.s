//go:build amd64 && !purego

#include "textflag.h"

// Eight elements at once, by the 52-bit multiplications of AVX-512 IFMA. No instruction here
// branches on an element, or takes a time that depends on one. lanes.go says why nothing overflows.
//
// Z0 to Z4 are a factor, Z10 to Z14 the lower half of a product or what becomes the result, and
// Z15 to Z19 the upper half. Z5 and Z6 are scratch.

// CONSTANTS: Z28 and Z29 are masks of 52 and 48 bits; Z30 is 2^260 and Z31 is 2^256, modulo p.
#define CONSTANTS \
	MOVQ         $0xfffffffffffff, AX \
	VPBROADCASTQ AX, Z28              \
	VPSRLQ       $4, Z28, Z29         \
	MOVQ         $0x1000003D1, AX     \
	VPBROADCASTQ AX, Z31              \
	VPSLLQ       $4, Z31, Z30

// LOW is a += the low 52 bits of x*y, and HIGH those above.
#define LOW(x, y, a) VPMADD52LUQ x, y, a
#define HIGH(x, y, a) VPMADD52HUQ x, y, a

#define LOAD(from) \
	VMOVDQU64 (from), Z0    \
	VMOVDQU64 64(from), Z1  \
	VMOVDQU64 128(from), Z2 \
	VMOVDQU64 192(from), Z3 \
	VMOVDQU64 256(from), Z4

#define LOADSUM(from) \
	VMOVDQU64 (from), Z10    \
	VMOVDQU64 64(from), Z11  \
	VMOVDQU64 128(from), Z12 \
	VMOVDQU64 192(from), Z13 \
	VMOVDQU64 256(from), Z14

#define STORE(to) \
	VMOVDQU64 Z10, (to)    \
	VMOVDQU64 Z11, 64(to)  \
	VMOVDQU64 Z12, 128(to) \
	VMOVDQU64 Z13, 192(to) \
	VMOVDQU64 Z14, 256(to)

#define ZERO \
	VPXORQ Z10, Z10, Z10 \
	VPXORQ Z11, Z11, Z11 \
	VPXORQ Z12, Z12, Z12 \
	VPXORQ Z13, Z13, Z13 \
	VPXORQ Z14, Z14, Z14 \
	VPXORQ Z15, Z15, Z15 \
	VPXORQ Z16, Z16, Z16 \
	VPXORQ Z17, Z17, Z17 \
	VPXORQ Z18, Z18, Z18 \
	VPXORQ Z19, Z19, Z19

// CARRY leaves 52 bits in a limb and adds those above to the next.
#define CARRY(from, to) \
	VPSRLQ $52, from, Z5    \
	VPANDQ Z28, from, from  \
	VPADDQ Z5, to, to

// CARRIES goes through the five limbs.
#define CARRIES \
	CARRY(Z10, Z11) \
	CARRY(Z11, Z12) \
	CARRY(Z12, Z13) \
	CARRY(Z13, Z14)

// TIGHTEN is for sums: of the highest limb, what is above 48 bits counts 2^256, a few times.
#define TIGHTEN \
	VPSRLQ $48, Z14, Z6   \
	VPANDQ Z29, Z14, Z14  \
	LOW(Z6, Z31, Z10)     \
	CARRIES

// UP is a CARRY whose bits above 52 may stay, since multiplications don't see them.
#define UP(from, to) \
	VPSRLQ $52, from, Z5 \
	VPADDQ Z5, to, to

// REDUCE folds the upper half of a product onto the lower, and what is then above 2^256 again.
#define REDUCE \
	UP(Z15, Z16)          \
	UP(Z16, Z17)          \
	UP(Z17, Z18)          \
	UP(Z18, Z19)          \
	VPXORQ Z6, Z6, Z6     \
	LOW(Z15, Z30, Z10)    \
	LOW(Z16, Z30, Z11)    \
	LOW(Z17, Z30, Z12)    \
	LOW(Z18, Z30, Z13)    \
	LOW(Z19, Z30, Z14)    \
	HIGH(Z19, Z30, Z6)    \
	HIGH(Z15, Z30, Z11)   \
	HIGH(Z16, Z30, Z12)   \
	HIGH(Z17, Z30, Z13)   \
	HIGH(Z18, Z30, Z14)   \
	VPSLLQ $4, Z6, Z6     \
	VPSRLQ $48, Z14, Z5   \
	VPADDQ Z5, Z6, Z6     \
	VPANDQ Z29, Z14, Z14  \
	LOW(Z6, Z31, Z10)     \
	HIGH(Z6, Z31, Z11)    \
	CARRIES

// ROW adds the factor times a limb of the other one, in Z5.
#define ROW(r0, r1, r2, r3, r4, r5) \
	LOW(Z0, Z5, r0)  \
	LOW(Z1, Z5, r1)  \
	LOW(Z2, Z5, r2)  \
	LOW(Z3, Z5, r3)  \
	LOW(Z4, Z5, r4)  \
	HIGH(Z0, Z5, r1) \
	HIGH(Z1, Z5, r2) \
	HIGH(Z2, Z5, r3) \
	HIGH(Z3, Z5, r4) \
	HIGH(Z4, Z5, r5)

// func mulIFMA(z, x, y *Lanes)
TEXT ·mulIFMA(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	CONSTANTS
	LOAD(SI)
	ZERO

	VMOVDQU64 (DX), Z5
	ROW(Z10, Z11, Z12, Z13, Z14, Z15)
	VMOVDQU64 64(DX), Z5
	ROW(Z11, Z12, Z13, Z14, Z15, Z16)
	VMOVDQU64 128(DX), Z5
	ROW(Z12, Z13, Z14, Z15, Z16, Z17)
	VMOVDQU64 192(DX), Z5
	ROW(Z13, Z14, Z15, Z16, Z17, Z18)
	VMOVDQU64 256(DX), Z5
	ROW(Z14, Z15, Z16, Z17, Z18, Z19)

	REDUCE
	STORE(DI)
	VZEROUPPER
	RET

// func squareIFMA(z, x *Lanes)
TEXT ·squareIFMA(SB), NOSPLIT, $0-16
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	CONSTANTS
	LOAD(SI)
	ZERO

	// The products of two different limbs count twice.
	LOW(Z0, Z1, Z11)
	LOW(Z0, Z2, Z12)
	LOW(Z0, Z3, Z13)
	LOW(Z0, Z4, Z14)
	LOW(Z1, Z4, Z15)
	LOW(Z2, Z4, Z16)
	LOW(Z3, Z4, Z17)
	HIGH(Z0, Z1, Z12)
	HIGH(Z0, Z2, Z13)
	HIGH(Z0, Z3, Z14)
	HIGH(Z0, Z4, Z15)
	HIGH(Z1, Z4, Z16)
	HIGH(Z2, Z4, Z17)
	HIGH(Z3, Z4, Z18)
	LOW(Z1, Z2, Z13)
	LOW(Z1, Z3, Z14)
	LOW(Z2, Z3, Z15)
	HIGH(Z1, Z3, Z15)
	HIGH(Z1, Z2, Z14)
	HIGH(Z2, Z3, Z16)
	VPADDQ Z11, Z11, Z11
	VPADDQ Z12, Z12, Z12
	VPADDQ Z13, Z13, Z13
	VPADDQ Z14, Z14, Z14
	VPADDQ Z15, Z15, Z15
	VPADDQ Z16, Z16, Z16
	VPADDQ Z17, Z17, Z17
	VPADDQ Z18, Z18, Z18
	LOW(Z0, Z0, Z10)
	HIGH(Z0, Z0, Z11)
	LOW(Z1, Z1, Z12)
	HIGH(Z1, Z1, Z13)
	LOW(Z2, Z2, Z14)
	HIGH(Z2, Z2, Z15)
	LOW(Z3, Z3, Z16)
	HIGH(Z3, Z3, Z17)
	LOW(Z4, Z4, Z18)
	HIGH(Z4, Z4, Z19)

	REDUCE
	STORE(DI)
	VZEROUPPER
	RET

// func addIFMA(z, x, y *Lanes)
TEXT ·addIFMA(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	CONSTANTS
	LOADSUM(SI)
	VPADDQ (DX), Z10, Z10
	VPADDQ 64(DX), Z11, Z11
	VPADDQ 128(DX), Z12, Z12
	VPADDQ 192(DX), Z13, Z13
	VPADDQ 256(DX), Z14, Z14
	TIGHTEN
	STORE(DI)
	VZEROUPPER
	RET

// func subIFMA(z, x, y *Lanes)
TEXT ·subIFMA(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	CONSTANTS
	LOADSUM(SI)

	// x + 2p - y, limb by limb: 2p has 2·(2^48-1) in the highest and 2·(2^52-1) in others, but in
	// the lowest, which is less by twice what 2^256 is modulo p, less 1.
	VPADDQ Z28, Z28, Z0
	VPADDQ Z29, Z29, Z1
	VPSUBQ Z31, Z28, Z2
	VPADDQ Z2, Z2, Z2
	MOVQ   $2, AX
	VPBROADCASTQ AX, Z3
	VPADDQ Z3, Z2, Z2
	VPADDQ Z2, Z10, Z10
	VPADDQ Z0, Z11, Z11
	VPADDQ Z0, Z12, Z12
	VPADDQ Z0, Z13, Z13
	VPADDQ Z1, Z14, Z14
	VPSUBQ (DX), Z10, Z10
	VPSUBQ 64(DX), Z11, Z11
	VPSUBQ 128(DX), Z12, Z12
	VPSUBQ 192(DX), Z13, Z13
	VPSUBQ 256(DX), Z14, Z14
	TIGHTEN
	STORE(DI)
	VZEROUPPER
	RET

// func wipeIFMA()
TEXT ·wipeIFMA(SB), NOSPLIT, $0-0
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	VPXORQ Z5, Z5, Z5
	VPXORQ Z6, Z6, Z6
	VPXORQ Z7, Z7, Z7
	VPXORQ Z8, Z8, Z8
	VPXORQ Z9, Z9, Z9
	VPXORQ Z10, Z10, Z10
	VPXORQ Z11, Z11, Z11
	VPXORQ Z12, Z12, Z12
	VPXORQ Z13, Z13, Z13
	VPXORQ Z14, Z14, Z14
	VPXORQ Z15, Z15, Z15
	VPXORQ Z16, Z16, Z16
	VPXORQ Z17, Z17, Z17
	VPXORQ Z18, Z18, Z18
	VPXORQ Z19, Z19, Z19
	VPXORQ Z20, Z20, Z20
	VPXORQ Z21, Z21, Z21
	VPXORQ Z22, Z22, Z22
	VPXORQ Z23, Z23, Z23
	VPXORQ Z24, Z24, Z24
	VPXORQ Z25, Z25, Z25
	VPXORQ Z26, Z26, Z26
	VPXORQ Z27, Z27, Z27
	VPXORQ Z28, Z28, Z28
	VPXORQ Z29, Z29, Z29
	VPXORQ Z30, Z30, Z30
	VPXORQ Z31, Z31, Z31
	KXORQ  K1, K1, K1
	KXORQ  K2, K2, K2
	KXORQ  K3, K3, K3
	KXORQ  K4, K4, K4
	KXORQ  K5, K5, K5
	KXORQ  K6, K6, K6
	KXORQ  K7, K7, K7
	VZEROUPPER
	RET
