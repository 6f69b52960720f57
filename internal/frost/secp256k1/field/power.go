package field

// squares sets e = a^(2^n).
func (e *Element) squares(a *Element, n int) *Element {
	*e = *a
	for range n {
		e.Square(e)
	}
	return e
}

// power2 returns what the exponents of Invert and SqrtVartime share: e^3 and
// e^((2^223-1)·2^23 + 2^22-1).
func (e *Element) power2() (x2, t Element) {
	var x3, x6, x9, x11, x22, x44, x88 Element
	x2.Mul(x2.squares(e, 1), e)
	x3.Mul(x3.squares(&x2, 1), e)
	x6.Mul(x6.squares(&x3, 3), &x3)
	x9.Mul(x9.squares(&x6, 3), &x3)
	x11.Mul(x11.squares(&x9, 2), &x2)
	x22.Mul(x22.squares(&x11, 11), &x11)
	x44.Mul(x44.squares(&x22, 22), &x22)
	x88.Mul(x88.squares(&x44, 44), &x44)
	t.Mul(t.squares(&x88, 88), &x88)
	t.Mul(t.squares(&t, 44), &x44)
	t.Mul(t.squares(&t, 3), &x3)
	t.Mul(t.squares(&t, 23), &x22)
	return x2, t
}

// Invert sets e = a^(p-2), which is 1/a, and 0 for 0.
func (e *Element) Invert(a *Element) *Element {
	x2, t := a.power2()
	t.Mul(t.squares(&t, 5), a)
	t.Mul(t.squares(&t, 3), &x2)
	return e.Mul(t.squares(&t, 2), a)
}

// SqrtVartime sets e = a^((p+1)/4) and reports whether that is a root of a.
func (e *Element) SqrtVartime(a *Element) bool {
	x2, t := a.power2()
	t.Mul(t.squares(&t, 6), &x2)
	root := *t.squares(&t, 2)
	t.Sub(t.Square(&root), a)
	*e = root
	return t.IsZeroVartime()
}

// InvertAll inverts every element of es, none of which may be 0, at the price
// of one inversion and three multiplications each. products is scratch space of
// the same length.
func InvertAll(es, products []Element) {
	product := Element{1}
	for i := range es {
		products[i] = product
		product.Mul(&product, &es[i])
	}
	product.Invert(&product)
	for i := len(es) - 1; i >= 0; i-- {
		e := es[i]
		es[i].Mul(&product, &products[i])
		product.Mul(&product, &e)
	}
}
