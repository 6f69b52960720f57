package vartime

// squares sets e = a^(2^n).
func (e *element) squares(a *element, n int) *element {
	*e = *a
	for range n {
		e.square(e)
	}
	return e
}

// power2 returns what the exponents of invert and sqrt share: e^3 and
// e^((2^223-1)·2^23 + 2^22-1).
func (e *element) power2() (x2, t element) {
	var x3, x6, x9, x11, x22, x44, x88 element
	x2.mul(x2.squares(e, 1), e)
	x3.mul(x3.squares(&x2, 1), e)
	x6.mul(x6.squares(&x3, 3), &x3)
	x9.mul(x9.squares(&x6, 3), &x3)
	x11.mul(x11.squares(&x9, 2), &x2)
	x22.mul(x22.squares(&x11, 11), &x11)
	x44.mul(x44.squares(&x22, 22), &x22)
	x88.mul(x88.squares(&x44, 44), &x44)
	t.mul(t.squares(&x88, 88), &x88)
	t.mul(t.squares(&t, 44), &x44)
	t.mul(t.squares(&t, 3), &x3)
	t.mul(t.squares(&t, 23), &x22)
	return x2, t
}

// invert sets e = a^(p-2), which is 1/a, and 0 for 0.
func (e *element) invert(a *element) *element {
	x2, t := a.power2()
	t.mul(t.squares(&t, 5), a)
	t.mul(t.squares(&t, 3), &x2)
	return e.mul(t.squares(&t, 2), a)
}

// sqrt sets e = a^((p+1)/4) and reports whether that is a root of a.
func (e *element) sqrt(a *element) bool {
	x2, t := a.power2()
	t.mul(t.squares(&t, 6), &x2)
	root := *t.squares(&t, 2)
	t.sub(t.square(&root), a)
	*e = root
	return t.isZero()
}

// invertAll inverts every element of es, none of which may be 0, at the price
// of one inversion and three multiplications each. products is scratch space of
// the same length.
func invertAll(es, products []element) {
	product := one
	for i := range es {
		products[i] = product
		product.mul(&product, &es[i])
	}
	product.invert(&product)
	for i := len(es) - 1; i >= 0; i-- {
		e := es[i]
		es[i].mul(&product, &products[i])
		product.mul(&product, &e)
	}
}
