//go:build amd64 && !purego

#include "textflag.h"

// SIXTEEN sets to to those of sixteen numbers that Z20's low four bits say.
#define SIXTEEN(at, to) \
	VMOVDQU64 at(SI), to       \
	VPERMT2Q  at+64(SI), Z20, to

// CARRY leaves 52 bits in a limb and adds those above to the next.
#define CARRY(from, to) \
	VPSRLQ $52, from, Z5    \
	VPANDQ Z28, from, from  \
	VPADDQ Z5, to, to

// func pickIFMA(p *eight, row *wideRow, digits *[8]uint8)
TEXT ·pickIFMA(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), DI
	MOVQ row+8(FP), SI
	MOVQ digits+16(FP), DX

	// The index of an entry: a digit's lower bits, inverted for a negative one (K1), which is one
	// below 128. Z20 has four bits for SIXTEEN; K2, K3 and K4 are the others.
	VPMOVZXBQ    (DX), Z20
	MOVQ         $127, AX
	VPBROADCASTQ AX, Z21
	VPCMPUQ      $2, Z21, Z20, K1
	VPXORQ       Z21, Z20, K1, Z20
	MOVQ         $16, AX
	VPBROADCASTQ AX, Z21
	VPTESTMQ     Z21, Z20, K2
	VPADDQ       Z21, Z21, Z21
	VPTESTMQ     Z21, Z20, K3
	VPADDQ       Z21, Z21, Z21
	VPTESTMQ     Z21, Z20, K4

	// All 128 numbers of each limb are read.
	MOVQ $10, CX

next:
	SIXTEEN(0, Z0)
	SIXTEEN(128, Z1)
	SIXTEEN(256, Z2)
	SIXTEEN(384, Z3)
	SIXTEEN(512, Z4)
	SIXTEEN(640, Z5)
	SIXTEEN(768, Z6)
	SIXTEEN(896, Z7)
	VMOVDQA64 Z1, K2, Z0
	VMOVDQA64 Z3, K2, Z2
	VMOVDQA64 Z5, K2, Z4
	VMOVDQA64 Z7, K2, Z6
	VMOVDQA64 Z2, K3, Z0
	VMOVDQA64 Z6, K3, Z4
	VMOVDQA64 Z4, K4, Z0
	VMOVDQU64 Z0, (DI)
	ADDQ      $1024, SI
	ADDQ      $64, DI
	DECQ      CX
	JNZ       next

	// Of a negative digit y becomes 2p - y, limb by limb (see package field), in 52 bits each.
	MOVQ         $0xfffffffffffff, AX
	VPBROADCASTQ AX, Z28
	VPADDQ       Z28, Z28, Z0
	MOVQ         $0x1ffffdfffff85e, AX
	VPBROADCASTQ AX, Z1
	VPSRLQ       $4, Z28, Z29
	VPADDQ       Z29, Z29, Z2
	VMOVDQU64    -320(DI), Z10
	VMOVDQU64    -256(DI), Z11
	VMOVDQU64    -192(DI), Z12
	VMOVDQU64    -128(DI), Z13
	VMOVDQU64    -64(DI), Z14
	VPSUBQ       Z10, Z1, K1, Z10
	VPSUBQ       Z11, Z0, K1, Z11
	VPSUBQ       Z12, Z0, K1, Z12
	VPSUBQ       Z13, Z0, K1, Z13
	VPSUBQ       Z14, Z2, K1, Z14
	MOVQ         $0x1000003D1, AX
	VPBROADCASTQ AX, Z31
	VPSRLQ       $48, Z14, Z6
	VPANDQ       Z29, Z14, Z14
	VPMADD52LUQ  Z6, Z31, Z10
	CARRY(Z10, Z11)
	CARRY(Z11, Z12)
	CARRY(Z12, Z13)
	CARRY(Z13, Z14)
	VMOVDQU64    Z10, -320(DI)
	VMOVDQU64    Z11, -256(DI)
	VMOVDQU64    Z12, -192(DI)
	VMOVDQU64    Z13, -128(DI)
	VMOVDQU64    Z14, -64(DI)
	VZEROUPPER
	RET
