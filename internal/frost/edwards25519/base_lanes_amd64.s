//go:build amd64 && !purego

#include "textflag.h"
#include "lanes_amd64.h"

// Of each limb of a row there are 32, for each lane to choose from by five bits: four in Z25, and
// the highest in K1. All are read, whatever the bits are.
#define CHOOSE(limb, to) \
	VMOVDQU64 limb+0(SI), to \
	VPERMT2Q  limb+64(SI), Z25, to \
	VMOVDQU64 limb+128(SI), Z29 \
	VPERMT2Q  limb+192(SI), Z25, Z29 \
	VMOVDQA64 Z29, K1, to


// func multiplyBaseIFMA(p *sumLanes, table *[baseDigits]baseRow, u *[5][8]uint64)
TEXT ·multiplyBaseIFMA(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), DI
	MOVQ table+8(FP), SI
	MOVQ u+16(FP), DX
	CONSTANTS
	TWOP
	XORQ CX, CX                          // the place of the digit, in bits of the scalar

next:
	// Six bits of the scalars. Words of 64 bits are 64 bytes apart.
	MOVQ      CX, R9
	ANDQ      $63, R9
	MOVQ      CX, R8
	SUBQ      R9, R8
	ADDQ      DX, R8
	VMOVQ     R9, X5
	VMOVDQU64 (R8), Z25
	VPSRLQ    X5, Z25, Z25
	NEGQ      R9
	ADDQ      $64, R9
	VMOVQ     R9, X5
	VMOVDQU64 64(R8), Z6
	VPSLLQ    X5, Z6, Z6                 // by 64 it leaves 0
	VPORQ     Z6, Z25, Z25

	// They stand for 2b-63: from b = 32 on that is 2(b-32)+1, of the entry b-32, and below
	// -(2(31-b)+1), minus that of 31-b, which is the complement of b's five bits. K2 is minus.
	MOVQ         $32, AX
	VPBROADCASTQ AX, Z5
	VPTESTNMQ    Z5, Z25, K2
	VPTERNLOGQ   $0x0f, Z25, Z25, K2, Z25
	MOVQ         $16, AX
	VPBROADCASTQ AX, Z5
	VPTESTMQ     Z5, Z25, K1

	// (y+x)/2 and (y-x)/2 of the entry, the other way round for its negative.
	CHOOSE(0, Z5)
	CHOOSE(256, Z6)
	CHOOSE(512, Z7)
	CHOOSE(768, Z8)
	CHOOSE(1024, Z9)
	CHOOSE(1280, Z10)
	CHOOSE(1536, Z11)
	CHOOSE(1792, Z12)
	CHOOSE(2048, Z13)
	CHOOSE(2304, Z14)
	VPBLENDMQ Z5, Z10, K2, Z0
	VPBLENDMQ Z6, Z11, K2, Z1
	VPBLENDMQ Z7, Z12, K2, Z2
	VPBLENDMQ Z8, Z13, K2, Z3
	VPBLENDMQ Z9, Z14, K2, Z4
	STORE(MINUS, DI)
	VPBLENDMQ Z10, Z5, K2, Z0
	VPBLENDMQ Z11, Z6, K2, Z1
	VPBLENDMQ Z12, Z7, K2, Z2
	VPBLENDMQ Z13, Z8, K2, Z3
	VPBLENDMQ Z14, Z9, K2, Z4
	STORE(PLUS, DI)

	// C = T*dxy, negated where the entry is.
	CHOOSE(2560, Z0)
	CHOOSE(2816, Z1)
	CHOOSE(3072, Z2)
	CHOOSE(3328, Z3)
	CHOOSE(3584, Z4)
	MULTIPLY(T, DI)
	VPSUBQ Z0, Z27, K2, Z0
	VPSUBQ Z1, Z28, K2, Z1
	VPSUBQ Z2, Z28, K2, Z2
	VPSUBQ Z3, Z28, K2, Z3
	VPSUBQ Z4, Z28, K2, Z4
	STORE(C, DI)

	SUBTRACT(Y, DI, X, DI)
	MULTIPLY(MINUS, DI)
	STORE(A, DI)                         // (Y-X)(y-x)/2
	ADD(Y, DI, X, DI)
	MULTIPLY(PLUS, DI)
	STORE(B, DI)                         // (Y+X)(y+x)/2
	FINISH(Z)

	ADDQ $3840, SI
	ADDQ $6, CX
	CMPQ CX, $258
	JNE  next

	LEAVE
	RET
