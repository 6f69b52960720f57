//go:build amd64 && !purego

#include "textflag.h"

// Eight points between memory, where a point is eight words of 64 bits, x before y and each with
// the lowest word first, and lanes, where each of x and y has five limbs of 52 bits.

// TRANSPOSE swaps rows and columns of eight words by eight, in Z0 to Z7: first those of two
// neighbours, then blocks of two words.
#define TRANSPOSE \
	VPUNPCKLQDQ Z1, Z0, Z8         \
	VPUNPCKHQDQ Z1, Z0, Z9         \
	VPUNPCKLQDQ Z3, Z2, Z10        \
	VPUNPCKHQDQ Z3, Z2, Z11        \
	VPUNPCKLQDQ Z5, Z4, Z12        \
	VPUNPCKHQDQ Z5, Z4, Z13        \
	VPUNPCKLQDQ Z7, Z6, Z14        \
	VPUNPCKHQDQ Z7, Z6, Z15        \
	VSHUFI64X2  $0x88, Z10, Z8, Z16  \
	VSHUFI64X2  $0xdd, Z10, Z8, Z17  \
	VSHUFI64X2  $0x88, Z11, Z9, Z18  \
	VSHUFI64X2  $0xdd, Z11, Z9, Z19  \
	VSHUFI64X2  $0x88, Z14, Z12, Z20 \
	VSHUFI64X2  $0xdd, Z14, Z12, Z21 \
	VSHUFI64X2  $0x88, Z15, Z13, Z22 \
	VSHUFI64X2  $0xdd, Z15, Z13, Z23 \
	VSHUFI64X2  $0x88, Z20, Z16, Z0  \
	VSHUFI64X2  $0x88, Z22, Z18, Z1  \
	VSHUFI64X2  $0x88, Z21, Z17, Z2  \
	VSHUFI64X2  $0x88, Z23, Z19, Z3  \
	VSHUFI64X2  $0xdd, Z20, Z16, Z4  \
	VSHUFI64X2  $0xdd, Z22, Z18, Z5  \
	VSHUFI64X2  $0xdd, Z21, Z17, Z6  \
	VSHUFI64X2  $0xdd, Z23, Z19, Z7

// MASKS: Z28 and Z29 are masks of 52 and 48 bits.
#define MASKS \
	MOVQ         $0xfffffffffffff, AX \
	VPBROADCASTQ AX, Z28              \
	VPSRLQ       $4, Z28, Z29

// LIMB is 52 bits of two neighbouring words, of which the lower one is shifted down and the upper one up.
#define LIMB(lower, down, upper, up, limb) \
	VPSRLQ $down, lower, limb \
	VPSLLQ $up, upper, Z24    \
	VPORQ  Z24, limb, limb    \
	VPANDQ Z28, limb, limb

// LIMBS makes five limbs of four words.
#define LIMBS(w0, w1, w2, w3, l0, l1, l2, l3, l4) \
	VPANDQ Z28, w0, l0        \
	LIMB(w0, 52, w1, 12, l1)  \
	LIMB(w1, 40, w2, 24, l2)  \
	LIMB(w2, 28, w3, 36, l3)  \
	VPSRLQ $16, w3, l4

#define STORE(l0, l1, l2, l3, l4, to) \
	VMOVDQU64 l0, (to)    \
	VMOVDQU64 l1, 64(to)  \
	VMOVDQU64 l2, 128(to) \
	VMOVDQU64 l3, 192(to) \
	VMOVDQU64 l4, 256(to)

// POINT reads the point at a place whose lowest bit is a sign.
#define POINT(i, to) \
	MOVL      (4*i)(CX), AX \
	SHRQ      $1, AX        \
	SHLQ      $6, AX        \
	VMOVDQU64 (DX)(AX*1), to

// func gatherAVX512(x, y *field.Lanes, points *Point, places *[8]signed)
TEXT ·gatherAVX512(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ points+16(FP), DX
	MOVQ places+24(FP), CX
	POINT(0, Z0)
	POINT(1, Z1)
	POINT(2, Z2)
	POINT(3, Z3)
	POINT(4, Z4)
	POINT(5, Z5)
	POINT(6, Z6)
	POINT(7, Z7)
	VPMOVZXDQ (CX), Z25
	TRANSPOSE
	MASKS
	LIMBS(Z0, Z1, Z2, Z3, Z8, Z9, Z10, Z11, Z12)
	STORE(Z8, Z9, Z10, Z11, Z12, DI)
	LIMBS(Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12)

	// Where the sign is set, limbs of 2p less those of y. Of 2p, the lowest limb is less by twice
	// 2^32 + 976.
	MOVQ         $1, AX
	VPBROADCASTQ AX, Z26
	VPTESTMQ     Z26, Z25, K1
	MOVQ         $0x1000003D0, AX
	VPBROADCASTQ AX, Z13
	VPSUBQ       Z13, Z28, Z13
	VPADDQ       Z13, Z13, Z13
	VPADDQ       Z28, Z28, Z14
	VPADDQ       Z29, Z29, Z15
	VPSUBQ       Z8, Z13, K1, Z8
	VPSUBQ       Z9, Z14, K1, Z9
	VPSUBQ       Z10, Z14, K1, Z10
	VPSUBQ       Z11, Z14, K1, Z11
	VPSUBQ       Z12, Z15, K1, Z12
	STORE(Z8, Z9, Z10, Z11, Z12, SI)
	VZEROUPPER
	RET

// CARRY leaves 52 bits in a limb and adds those above to the next.
#define CARRY(from, to) \
	VPSRLQ $52, from, Z24   \
	VPANDQ Z28, from, from  \
	VPADDQ Z24, to, to

// WORDS makes four words of a tight element, reduced. It is p or more if 2^256 - p, which is in Z30,
// can be added without a carry to 2^256, and then the sum's 256 bits are what is left.
#define WORDS(from, w0, w1, w2, w3) \
	VMOVDQU64 (from), Z10     \
	VMOVDQU64 64(from), Z11   \
	VMOVDQU64 128(from), Z12  \
	VMOVDQU64 192(from), Z13  \
	VMOVDQU64 256(from), Z14  \
	VPADDQ    Z30, Z10, Z15   \
	VMOVDQA64 Z11, Z16        \
	VMOVDQA64 Z12, Z17        \
	VMOVDQA64 Z13, Z18        \
	VMOVDQA64 Z14, Z19        \
	CARRY(Z15, Z16)           \
	CARRY(Z16, Z17)           \
	CARRY(Z17, Z18)           \
	CARRY(Z18, Z19)           \
	VPCMPUQ   $6, Z29, Z19, K1 \
	VMOVDQA64 Z15, K1, Z10    \
	VMOVDQA64 Z16, K1, Z11    \
	VMOVDQA64 Z17, K1, Z12    \
	VMOVDQA64 Z18, K1, Z13    \
	VMOVDQA64 Z19, K1, Z14    \
	VPSLLQ    $52, Z11, w0    \
	VPORQ     Z10, w0, w0     \
	VPSRLQ    $12, Z11, w1    \
	VPSLLQ    $40, Z12, Z24   \
	VPORQ     Z24, w1, w1     \
	VPSRLQ    $24, Z12, w2    \
	VPSLLQ    $28, Z13, Z24   \
	VPORQ     Z24, w2, w2     \
	VPSRLQ    $36, Z13, w3    \
	VPSLLQ    $16, Z14, Z24   \
	VPORQ     Z24, w3, w3

// PUT writes the point at a place.
#define PUT(i, from) \
	MOVLQSX   (4*i)(CX), AX \
	SHLQ      $6, AX        \
	VMOVDQU64 from, (DX)(AX*1)

// func scatterAVX512(points *Point, places *[8]int32, x, y *field.Lanes)
TEXT ·scatterAVX512(SB), NOSPLIT, $0-32
	MOVQ points+0(FP), DX
	MOVQ places+8(FP), CX
	MOVQ x+16(FP), SI
	MOVQ y+24(FP), DI
	MASKS
	MOVQ         $0x1000003D1, AX
	VPBROADCASTQ AX, Z30
	WORDS(SI, Z0, Z1, Z2, Z3)
	WORDS(DI, Z4, Z5, Z6, Z7)
	TRANSPOSE
	PUT(0, Z0)
	PUT(1, Z1)
	PUT(2, Z2)
	PUT(3, Z3)
	PUT(4, Z4)
	PUT(5, Z5)
	PUT(6, Z6)
	PUT(7, Z7)
	VZEROUPPER
	RET

// Bytes of 128 bits in the other order.
DATA reversed<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA reversed<>+8(SB)/8, $0x0001020304050607
GLOBL reversed<>(SB), RODATA|NOPTR, $16

// READ has the 64 bytes at an offset reversed in both halves: blocks of 128 bits change places.
#define READ(i) \
	VMOVDQU64  (64*i)(SI), Z0    \
	VPSHUFB    Z31, Z0, Z0       \
	VPERMQ     $0x4e, Z0, Z0     \
	VMOVDQU64  Z0, (64*i)(DI)

// func fromWireAVX512(points *[8]Point, b *[512]byte)
TEXT ·fromWireAVX512(SB), NOSPLIT, $0-16
	MOVQ points+0(FP), DI
	MOVQ b+8(FP), SI
	VBROADCASTI32X4 reversed<>(SB), Z31
	READ(0)
	READ(1)
	READ(2)
	READ(3)
	READ(4)
	READ(5)
	READ(6)
	READ(7)
	VZEROUPPER
	RET
