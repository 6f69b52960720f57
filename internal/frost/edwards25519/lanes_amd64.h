// Eight elements of the field at once, by the 52-bit multiplications of AVX-512 IFMA. An element
// has five limbs of 51 bits, which may be 2^14 more: below 2^52. The high halves of products
// count twice, since they are shifted by 52 bits and limbs by 51.
//
// Z0 to Z4 are an element, Z5 to Z9 the low limbs of a product, Z10 to Z14 its high ones.
// Z30 is the mask of 51 bits and Z31 is 19.

#define CONSTANTS \
	MOVQ         $0x7ffffffffffff, AX \
	VPBROADCASTQ AX, Z30 \
	MOVQ         $19, AX \
	VPBROADCASTQ AX, Z31

// LEAVE leaves nothing of secrets in registers.
#define LEAVE \
	VPXORQ Z0, Z0, Z0 \
	VPXORQ Z1, Z1, Z1 \
	VPXORQ Z2, Z2, Z2 \
	VPXORQ Z3, Z3, Z3 \
	VPXORQ Z4, Z4, Z4 \
	VPXORQ Z5, Z5, Z5 \
	VPXORQ Z6, Z6, Z6 \
	VPXORQ Z7, Z7, Z7 \
	VPXORQ Z8, Z8, Z8 \
	VPXORQ Z9, Z9, Z9 \
	VPXORQ Z10, Z10, Z10 \
	VPXORQ Z11, Z11, Z11 \
	VPXORQ Z12, Z12, Z12 \
	VPXORQ Z13, Z13, Z13 \
	VPXORQ Z14, Z14, Z14 \
	VPXORQ Z15, Z15, Z15 \
	VPXORQ Z16, Z16, Z16 \
	VPXORQ Z17, Z17, Z17 \
	VPXORQ Z18, Z18, Z18 \
	VPXORQ Z19, Z19, Z19 \
	VPXORQ Z20, Z20, Z20 \
	VPXORQ Z21, Z21, Z21 \
	VPXORQ Z22, Z22, Z22 \
	VPXORQ Z23, Z23, Z23 \
	VPXORQ Z24, Z24, Z24 \
	VPXORQ Z25, Z25, Z25 \
	VPXORQ Z26, Z26, Z26 \
	VPXORQ Z27, Z27, Z27 \
	VPXORQ Z28, Z28, Z28 \
	VPXORQ Z29, Z29, Z29 \
	VPXORQ Z30, Z30, Z30 \
	VPXORQ Z31, Z31, Z31 \
	KXORW K1, K1, K1 \
	KXORW K2, K2, K2 \
	VZEROUPPER

// LOW is a += the low 52 bits of x*y, and HIGH those above.
#define LOW(x, y, a) VPMADD52LUQ x, y, a
#define HIGH(x, y, a) VPMADD52HUQ x, y, a

// FOLD adds 19 times a high limb to a low one: 2^255 is 19.
#define FOLD(high, low) \
	VPADDQ high, low, low \
	VPSLLQ $1, high, Z29 \
	VPADDQ Z29, low, low \
	VPSLLQ $4, high, Z29 \
	VPADDQ Z29, low, low

// CARRY makes an element of Z5 to Z9, limbs below 2^61: what is carried from there is below 2^10.
#define CARRY \
	VPSRLQ      $51, Z5, Z10 \
	VPSRLQ      $51, Z6, Z11 \
	VPSRLQ      $51, Z7, Z12 \
	VPSRLQ      $51, Z8, Z13 \
	VPSRLQ      $51, Z9, Z14 \
	VPANDQ      Z30, Z5, Z0 \
	VPANDQ      Z30, Z6, Z1 \
	VPANDQ      Z30, Z7, Z2 \
	VPANDQ      Z30, Z8, Z3 \
	VPANDQ      Z30, Z9, Z4 \
	VPMADD52LUQ Z31, Z14, Z0 \
	VPADDQ      Z10, Z1, Z1 \
	VPADDQ      Z11, Z2, Z2 \
	VPADDQ      Z12, Z3, Z3 \
	VPADDQ      Z13, Z4, Z4

// REDUCE makes an element of Z5 to Z14, limbs below 2^56: what is folded is below 2^61.
#define REDUCE \
	FOLD(Z10, Z5) \
	FOLD(Z11, Z6) \
	FOLD(Z12, Z7) \
	FOLD(Z13, Z8) \
	FOLD(Z14, Z9) \
	CARRY

#define LOAD(at, from) \
	VMOVDQU64 at+0(from), Z0 \
	VMOVDQU64 at+64(from), Z1 \
	VMOVDQU64 at+128(from), Z2 \
	VMOVDQU64 at+192(from), Z3 \
	VMOVDQU64 at+256(from), Z4

#define STORE(at, to) \
	VMOVDQU64 Z0, at+0(to) \
	VMOVDQU64 Z1, at+64(to) \
	VMOVDQU64 Z2, at+128(to) \
	VMOVDQU64 Z3, at+192(to) \
	VMOVDQU64 Z4, at+256(to)

// MULTIPLY sets Z0 to Z4 to their product by the element in memory. It takes Z5 to Z24 and Z29.
#define MULTIPLY(at, y) \
	VPXORQ Z5, Z5, Z5 \
	VPXORQ Z6, Z6, Z6 \
	VPXORQ Z7, Z7, Z7 \
	VPXORQ Z8, Z8, Z8 \
	VPXORQ Z9, Z9, Z9 \
	VPXORQ Z10, Z10, Z10 \
	VPXORQ Z11, Z11, Z11 \
	VPXORQ Z12, Z12, Z12 \
	VPXORQ Z13, Z13, Z13 \
	VPXORQ Z14, Z14, Z14 \
	VPXORQ Z15, Z15, Z15 \
	VPXORQ Z16, Z16, Z16 \
	VPXORQ Z17, Z17, Z17 \
	VPXORQ Z18, Z18, Z18 \
	VPXORQ Z19, Z19, Z19 \
	VPXORQ Z20, Z20, Z20 \
	VPXORQ Z21, Z21, Z21 \
	VPXORQ Z22, Z22, Z22 \
	VPXORQ Z23, Z23, Z23 \
	VMOVDQU64 at+0(y), Z24 \
	LOW(Z0, Z24, Z5) \
	HIGH(Z0, Z24, Z15) \
	LOW(Z1, Z24, Z6) \
	HIGH(Z1, Z24, Z16) \
	LOW(Z2, Z24, Z7) \
	HIGH(Z2, Z24, Z17) \
	LOW(Z3, Z24, Z8) \
	HIGH(Z3, Z24, Z18) \
	LOW(Z4, Z24, Z9) \
	HIGH(Z4, Z24, Z19) \
	VMOVDQU64 at+64(y), Z24 \
	LOW(Z0, Z24, Z6) \
	HIGH(Z0, Z24, Z16) \
	LOW(Z1, Z24, Z7) \
	HIGH(Z1, Z24, Z17) \
	LOW(Z2, Z24, Z8) \
	HIGH(Z2, Z24, Z18) \
	LOW(Z3, Z24, Z9) \
	HIGH(Z3, Z24, Z19) \
	LOW(Z4, Z24, Z10) \
	HIGH(Z4, Z24, Z20) \
	VMOVDQU64 at+128(y), Z24 \
	LOW(Z0, Z24, Z7) \
	HIGH(Z0, Z24, Z17) \
	LOW(Z1, Z24, Z8) \
	HIGH(Z1, Z24, Z18) \
	LOW(Z2, Z24, Z9) \
	HIGH(Z2, Z24, Z19) \
	LOW(Z3, Z24, Z10) \
	HIGH(Z3, Z24, Z20) \
	LOW(Z4, Z24, Z11) \
	HIGH(Z4, Z24, Z21) \
	VMOVDQU64 at+192(y), Z24 \
	LOW(Z0, Z24, Z8) \
	HIGH(Z0, Z24, Z18) \
	LOW(Z1, Z24, Z9) \
	HIGH(Z1, Z24, Z19) \
	LOW(Z2, Z24, Z10) \
	HIGH(Z2, Z24, Z20) \
	LOW(Z3, Z24, Z11) \
	HIGH(Z3, Z24, Z21) \
	LOW(Z4, Z24, Z12) \
	HIGH(Z4, Z24, Z22) \
	VMOVDQU64 at+256(y), Z24 \
	LOW(Z0, Z24, Z9) \
	HIGH(Z0, Z24, Z19) \
	LOW(Z1, Z24, Z10) \
	HIGH(Z1, Z24, Z20) \
	LOW(Z2, Z24, Z11) \
	HIGH(Z2, Z24, Z21) \
	LOW(Z3, Z24, Z12) \
	HIGH(Z3, Z24, Z22) \
	LOW(Z4, Z24, Z13) \
	HIGH(Z4, Z24, Z23) \
	VPADDQ Z15, Z15, Z15 \
	VPADDQ Z15, Z6, Z6 \
	VPADDQ Z16, Z16, Z16 \
	VPADDQ Z16, Z7, Z7 \
	VPADDQ Z17, Z17, Z17 \
	VPADDQ Z17, Z8, Z8 \
	VPADDQ Z18, Z18, Z18 \
	VPADDQ Z18, Z9, Z9 \
	VPADDQ Z19, Z19, Z19 \
	VPADDQ Z19, Z10, Z10 \
	VPADDQ Z20, Z20, Z20 \
	VPADDQ Z20, Z11, Z11 \
	VPADDQ Z21, Z21, Z21 \
	VPADDQ Z21, Z12, Z12 \
	VPADDQ Z22, Z22, Z22 \
	VPADDQ Z22, Z13, Z13 \
	VPADDQ Z23, Z23, Z23 \
	VPADDQ Z23, Z14, Z14 \
	REDUCE

// TWOP sets Z27 and Z28 to the limbs of 2p, the lowest and the others.
#define TWOP \
	MOVQ         $0xfffffffffffda, AX \
	VPBROADCASTQ AX, Z27 \
	MOVQ         $0xffffffffffffe, AX \
	VPBROADCASTQ AX, Z28

// ADD sets Z0 to Z4 to the sum, and SUBTRACT to the difference, of elements of products: their limbs
// are below 2^51 + 2^15. A difference has 2p added (TWOP), so that no limb is below 0.
#define ADD(a, x, b, y) \
	VMOVDQU64 a+0(x), Z5 \
	VMOVDQU64 a+64(x), Z6 \
	VMOVDQU64 a+128(x), Z7 \
	VMOVDQU64 a+192(x), Z8 \
	VMOVDQU64 a+256(x), Z9 \
	VPADDQ    b+0(y), Z5, Z5 \
	VPADDQ    b+64(y), Z6, Z6 \
	VPADDQ    b+128(y), Z7, Z7 \
	VPADDQ    b+192(y), Z8, Z8 \
	VPADDQ    b+256(y), Z9, Z9 \
	CARRY

#define SUBTRACT(a, x, b, y) \
	VPADDQ a+0(x), Z27, Z5 \
	VPADDQ a+64(x), Z28, Z6 \
	VPADDQ a+128(x), Z28, Z7 \
	VPADDQ a+192(x), Z28, Z8 \
	VPADDQ a+256(x), Z28, Z9 \
	VPSUBQ b+0(y), Z5, Z5 \
	VPSUBQ b+64(y), Z6, Z6 \
	VPSUBQ b+128(y), Z7, Z7 \
	VPSUBQ b+192(y), Z8, Z8 \
	VPSUBQ b+256(y), Z9, Z9 \
	CARRY

// Places in a sumLanes.
#define X 0
#define Y 320
#define Z 640
#define T 960
#define MINUS 1280
#define PLUS 1600
#define A 1920
#define B 2240
#define C 2560
#define E 2880
#define F 3200
#define G 3520
#define Q 3840

// PRODUCTS sets X to T to EF, GH, FG and EH. H is in Z0 to Z4, and at B.
#define PRODUCTS \
	MULTIPLY(E, DI) \
	STORE(T, DI) \
	LOAD(B, DI) \
	MULTIPLY(G, DI) \
	STORE(Y, DI) \
	LOAD(F, DI) \
	MULTIPLY(E, DI) \
	STORE(X, DI) \
	LOAD(F, DI) \
	MULTIPLY(G, DI) \
	STORE(Z, DI)

// FINISH is the second half of an addition: sets X to T to the sum, of A = (Y1-X1)(Y2-X2),
// B = (Y1+X1)(Y2+X2), C = 2dT1T2 and d = 2Z1Z2, or any multiple of all four.
#define FINISH(d) \
	SUBTRACT(d, DI, C, DI) \
	STORE(F, DI) \
	ADD(d, DI, C, DI) \
	STORE(G, DI) \
	SUBTRACT(B, DI, A, DI) \
	STORE(E, DI) \
	ADD(B, DI, A, DI) \
	STORE(B, DI) \
	PRODUCTS

// ADDTERMS adds eight terms at q.
#define ADDTERMS(at, q) \
	LOAD(T, DI) \
	MULTIPLY(at+640, q) \
	STORE(C, DI) \
	LOAD(Z, DI) \
	MULTIPLY(at+960, q) \
	STORE(PLUS, DI) \
	SUBTRACT(Y, DI, X, DI) \
	MULTIPLY(at+320, q) \
	STORE(A, DI) \
	ADD(Y, DI, X, DI) \
	MULTIPLY(at+0, q) \
	STORE(B, DI) \
	FINISH(PLUS)
