//go:build amd64 && !purego

#include "textflag.h"

// func entryAVX2(to, row *entry, entries int, index uint64)
TEXT ·entryAVX2(SB), NOSPLIT, $0-32
	MOVQ         to+0(FP), DI
	MOVQ         row+8(FP), SI
	MOVQ         entries+16(FP), CX
	VPBROADCASTQ index+24(FP), Y0
	VPXOR        Y1, Y1, Y1              // the counter
	VPCMPEQQ     Y2, Y2, Y2              // -1
	VPXOR        Y3, Y3, Y3              // x
	VPXOR        Y4, Y4, Y4              // y

next:
	VPCMPEQQ Y0, Y1, Y5                  // all bits, if the counter is the index
	VPSUBQ   Y2, Y1, Y1
	VPAND    (SI), Y5, Y6
	VPAND    32(SI), Y5, Y7
	VPOR     Y6, Y3, Y3
	VPOR     Y7, Y4, Y4
	ADDQ     $64, SI
	DECQ     CX
	JNZ      next

	VMOVDQU Y3, (DI)
	VMOVDQU Y4, 32(DI)
	VPXOR   Y0, Y0, Y0                   // nothing stays in registers
	VPXOR   Y3, Y3, Y3
	VPXOR   Y4, Y4, Y4
	VPXOR   Y5, Y5, Y5
	VPXOR   Y6, Y6, Y6
	VPXOR   Y7, Y7, Y7
	VZEROUPPER
	RET
