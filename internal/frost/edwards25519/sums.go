package edwards25519

// SumsVartime sets out[i] to the sum of the i-th of as many equal parts of points. Many
// sums share an inversion. Public data only.
func SumsVartime(out, points []Affine) {
	n := len(points) / max(len(out), 1)
	sums := make([]extended, len(out))
	for i := range out {
		sums[i] = identity()
		for j := range n {
			q := points[i*n+j].cache()
			sums[i].add(&q, 0)
		}
	}
	affine(out, sums)
}
