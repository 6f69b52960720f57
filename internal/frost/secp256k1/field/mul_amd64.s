//go:build amd64 && !purego

#include "textflag.h"

// No instruction here branches on an element, or takes a time that depends on one.

// FOLD stores what R8 (the lowest) to R15 are modulo p: the upper half is folded onto the
// lower, as 2^256 is fold, and what is then above that once more.
#define FOLD(to) \
	MOVQ  $0x1000003D1, DX \
	XORQ  DI, DI           \
	MULXQ R12, AX, BX      \
	ADCXQ AX, R8           \
	ADOXQ BX, R9           \
	MULXQ R13, AX, BX      \
	ADCXQ AX, R9           \
	ADOXQ BX, R10          \
	MULXQ R14, AX, BX      \
	ADCXQ AX, R10          \
	ADOXQ BX, R11          \
	MULXQ R15, AX, R12     \
	ADCXQ AX, R11          \
	ADOXQ DI, R12          \
	ADCXQ DI, R12          \
	MULXQ R12, AX, BX      \
	MOVQ  to, DI           \
	ADDQ  AX, R8           \
	ADCQ  BX, R9           \
	ADCQ  $0, R10          \
	ADCQ  $0, R11          \
	SBBQ  AX, AX           \
	ANDQ  DX, AX           \
	ADDQ  AX, R8           \
	ADCQ  $0, R9           \
	MOVQ  R8, 0(DI)        \
	MOVQ  R9, 8(DI)        \
	MOVQ  R10, 16(DI)      \
	MOVQ  R11, 24(DI)

// ROW adds DX times the four limbs at CX to r0, r1, r2, r3, and sets r4 to what is carried:
// low halves on one chain of carries, high halves on the other.
#define ROW(r0, r1, r2, r3, r4) \
	XORQ  DI, DI          \
	MULXQ 0(CX), AX, BX   \
	ADCXQ AX, r0          \
	ADOXQ BX, r1          \
	MULXQ 8(CX), AX, BX   \
	ADCXQ AX, r1          \
	ADOXQ BX, r2          \
	MULXQ 16(CX), AX, BX  \
	ADCXQ AX, r2          \
	ADOXQ BX, r3          \
	MULXQ 24(CX), AX, r4  \
	ADCXQ AX, r3          \
	ADOXQ DI, r4          \
	ADCXQ DI, r4

// func mulADX(e, a, b *Element)
TEXT ·mulADX(SB), NOSPLIT, $0-24
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), CX

	MOVQ  0(SI), DX
	MULXQ 0(CX), R8, R9
	MULXQ 8(CX), AX, R10
	ADDQ  AX, R9
	MULXQ 16(CX), AX, R11
	ADCQ  AX, R10
	MULXQ 24(CX), AX, R12
	ADCQ  AX, R11
	ADCQ  $0, R12

	MOVQ 8(SI), DX
	ROW(R9, R10, R11, R12, R13)
	MOVQ 16(SI), DX
	ROW(R10, R11, R12, R13, R14)
	MOVQ 24(SI), DX
	ROW(R11, R12, R13, R14, R15)

	FOLD(e+0(FP))
	RET

// func squareADX(e, a *Element)
TEXT ·squareADX(SB), NOSPLIT, $0-16
	MOVQ a+8(FP), SI

	// The products of two different limbs.
	MOVQ  0(SI), DX
	MULXQ 8(SI), R9, R10
	MULXQ 16(SI), AX, R11
	ADDQ  AX, R10
	MULXQ 24(SI), AX, R12
	ADCQ  AX, R11
	ADCQ  $0, R12
	XORQ  DI, DI
	MOVQ  8(SI), DX
	MULXQ 16(SI), AX, BX
	ADCXQ AX, R11
	ADOXQ BX, R12
	MULXQ 24(SI), AX, R13
	ADCXQ AX, R12
	ADOXQ DI, R13
	ADCXQ DI, R13
	MOVQ  16(SI), DX
	MULXQ 24(SI), AX, R14
	ADDQ  AX, R13
	ADCQ  $0, R14

	// They count twice, on one chain of carries; the squares are added on the other.
	XORQ  R15, R15
	MOVQ  0(SI), DX
	MULXQ DX, R8, AX
	ADCXQ R9, R9
	ADOXQ AX, R9
	MOVQ  8(SI), DX
	MULXQ DX, AX, BX
	ADCXQ R10, R10
	ADOXQ AX, R10
	ADCXQ R11, R11
	ADOXQ BX, R11
	MOVQ  16(SI), DX
	MULXQ DX, AX, BX
	ADCXQ R12, R12
	ADOXQ AX, R12
	ADCXQ R13, R13
	ADOXQ BX, R13
	MOVQ  24(SI), DX
	MULXQ DX, AX, BX
	ADCXQ R14, R14
	ADOXQ AX, R14
	ADCXQ R15, R15
	ADOXQ BX, R15

	FOLD(e+0(FP))
	RET
