//go:build amd64 && !purego

#include "textflag.h"
#include "lanes_amd64.h"

// TRANSPOSE sets Z0 to Z7 to eight words of each of the eight terms: a word of each to a register.
#define TRANSPOSE(at) \
	VMOVDQU64 at(BX), Z0 \
	VMOVDQU64 at(CX), Z1 \
	VMOVDQU64 at(DX), Z2 \
	VMOVDQU64 at(R8), Z3 \
	VMOVDQU64 at(R9), Z4 \
	VMOVDQU64 at(R10), Z5 \
	VMOVDQU64 at(R11), Z6 \
	VMOVDQU64 at(R12), Z7 \
	VPUNPCKLQDQ Z1, Z0, Z8 \
	VPUNPCKHQDQ Z1, Z0, Z9 \
	VPUNPCKLQDQ Z3, Z2, Z10 \
	VPUNPCKHQDQ Z3, Z2, Z11 \
	VPUNPCKLQDQ Z5, Z4, Z12 \
	VPUNPCKHQDQ Z5, Z4, Z13 \
	VPUNPCKLQDQ Z7, Z6, Z14 \
	VPUNPCKHQDQ Z7, Z6, Z15 \
	VSHUFI64X2 $0x88, Z10, Z8, Z16 \
	VSHUFI64X2 $0x88, Z14, Z12, Z17 \
	VSHUFI64X2 $0xdd, Z10, Z8, Z18 \
	VSHUFI64X2 $0xdd, Z14, Z12, Z19 \
	VSHUFI64X2 $0x88, Z11, Z9, Z20 \
	VSHUFI64X2 $0x88, Z15, Z13, Z21 \
	VSHUFI64X2 $0xdd, Z11, Z9, Z22 \
	VSHUFI64X2 $0xdd, Z15, Z13, Z23 \
	VSHUFI64X2 $0x88, Z17, Z16, Z0 \
	VSHUFI64X2 $0xdd, Z17, Z16, Z4 \
	VSHUFI64X2 $0x88, Z19, Z18, Z2 \
	VSHUFI64X2 $0xdd, Z19, Z18, Z6 \
	VSHUFI64X2 $0x88, Z21, Z20, Z1 \
	VSHUFI64X2 $0xdd, Z21, Z20, Z5 \
	VSHUFI64X2 $0x88, Z23, Z22, Z3 \
	VSHUFI64X2 $0xdd, Z23, Z22, Z7

// PAIR stores limbs of y+x and y-x, the other way round where the term is subtracted.
#define PAIR(plus, minus, at) \
	VPBLENDMQ minus, plus, K1, Z24 \
	VMOVDQU64 Z24, Q+at(DI) \
	VPBLENDMQ plus, minus, K1, Z24 \
	VMOVDQU64 Z24, Q+320+at(DI)

// func addIFMA(p *sumLanes, terms *[8]*term, minus uint8)
TEXT ·addIFMA(SB), NOSPLIT, $0-17
	MOVQ    p+0(FP), DI
	MOVQ    terms+8(FP), SI
	MOVBLZX minus+16(FP), AX
	KMOVW   AX, K1
	CONSTANTS
	TWOP
	MOVQ    0(SI), BX
	MOVQ    8(SI), CX
	MOVQ    16(SI), DX
	MOVQ    24(SI), R8
	MOVQ    32(SI), R9
	MOVQ    40(SI), R10
	MOVQ    48(SI), R11
	MOVQ    56(SI), R12
	TRANSPOSE(0)
	PAIR(Z0, Z1, 0)
	PAIR(Z2, Z3, 64)
	PAIR(Z4, Z5, 128)
	PAIR(Z6, Z7, 192)
	TRANSPOSE(64)
	PAIR(Z0, Z1, 256)
	VPSUBQ    Z2, Z27, K1, Z2
	VPSUBQ    Z3, Z28, K1, Z3
	VPSUBQ    Z4, Z28, K1, Z4
	VPSUBQ    Z5, Z28, K1, Z5
	VPSUBQ    Z6, Z28, K1, Z6
	VMOVDQU64 Z2, Q+640(DI)
	VMOVDQU64 Z3, Q+704(DI)
	VMOVDQU64 Z4, Q+768(DI)
	VMOVDQU64 Z5, Q+832(DI)
	VMOVDQU64 Z6, Q+896(DI)
	VMOVDQU64 Z7, Q+960(DI)
	TRANSPOSE(128)
	VMOVDQU64 Z0, Q+1024(DI)
	VMOVDQU64 Z1, Q+1088(DI)
	VMOVDQU64 Z2, Q+1152(DI)
	VMOVDQU64 Z3, Q+1216(DI)
	ADDTERMS(Q, DI)
	VZEROUPPER
	RET

// func addTermsIFMA(p *sumLanes, q *termLanes)
TEXT ·addTermsIFMA(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ q+8(FP), SI
	CONSTANTS
	TWOP
	ADDTERMS(0, SI)
	VZEROUPPER
	RET

// func termsIFMA(q *termLanes, p *sumLanes, twoD *lanes)
TEXT ·termsIFMA(SB), NOSPLIT, $0-24
	MOVQ q+0(FP), SI
	MOVQ p+8(FP), DI
	MOVQ twoD+16(FP), DX
	CONSTANTS
	TWOP
	ADD(Y, DI, X, DI)
	STORE(0, SI)
	SUBTRACT(Y, DI, X, DI)
	STORE(320, SI)
	LOAD(T, DI)
	MULTIPLY(0, DX)
	STORE(640, SI)
	ADD(Z, DI, Z, DI)
	STORE(960, SI)
	VZEROUPPER
	RET

// func doubleIFMA(p *sumLanes)
TEXT ·doubleIFMA(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), DI
	CONSTANTS
	TWOP
	ADD(X, DI, Y, DI)
	STORE(MINUS, DI)
	MULTIPLY(MINUS, DI)
	STORE(E, DI)                         // (X+Y)^2
	LOAD(Z, DI)
	MULTIPLY(Z, DI)
	STORE(C, DI)
	ADD(C, DI, C, DI)
	STORE(C, DI)                         // 2Z^2
	LOAD(Y, DI)
	MULTIPLY(Y, DI)
	STORE(B, DI)
	LOAD(X, DI)
	MULTIPLY(X, DI)
	STORE(A, DI)
	SUBTRACT(A, DI, B, DI)
	STORE(G, DI)                         // X^2-Y^2
	ADD(C, DI, G, DI)
	STORE(F, DI)
	ADD(A, DI, B, DI)
	STORE(B, DI)                         // H
	SUBTRACT(B, DI, E, DI)
	STORE(E, DI)
	LOAD(B, DI)
	PRODUCTS
	VZEROUPPER
	RET
