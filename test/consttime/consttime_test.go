package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// normal returns n numbers of a normal distribution, with some that are much larger, as
// interrupts make them.
func normal(r *rand.Rand, n int, mean, deviation float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = mean + deviation*r.NormFloat64()
		if r.IntN(100) == 0 {
			out[i] += 1000 * mean * r.Float64()
		}
	}
	return out
}

func TestLeakage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 4 {
		same := [2][]float64{normal(r, 20_000, 1000, 20), normal(r, 20_000, 1000, 20)}
		if got := leakage(same); got >= threshold {
			t.Errorf("|t| = %v of two equal distributions", got)
		}
		// A thousandth of the mean, a twentieth of the deviation, and hidden by the largest.
		other := [2][]float64{normal(r, 100_000, 1000, 20), normal(r, 100_000, 1001, 20)}
		if got := leakage(other); got < threshold {
			t.Errorf("|t| = %v of two different distributions", got)
		}
	}
}

func TestWelch(t *testing.T) {
	var m [2]moments
	for class, times := range [][]float64{
		{27.5, 21, 19, 23.6, 17, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19, 21.7, 21.4},
		{27.1, 22, 20.8, 23.4, 23.4, 23.5, 25.8, 22, 24.8, 20.2, 21.9, 22.1, 22.9, 30, 23.9},
	} {
		for _, x := range times {
			m[class].add(x)
		}
	}
	const want = -2.8352638006644852 // of the definition, by Python
	if got := welch(&m[0], &m[1]); math.Abs(got-want) > 1e-9 {
		t.Errorf("t = %v, want %v", got, want)
	}
	if got := welch(&m[0], new(moments)); got != 0 {
		t.Errorf("t = %v of a class that is empty", got)
	}
}

// Every subject works, with either class; times are not looked at here: make consttime does.
func TestSubjects(t *testing.T) {
	all, err := subjects()
	if err != nil {
		t.Fatal(err)
	}
	leaks := 0
	for _, s := range all {
		times := s.measure(rand.New(rand.NewPCG(3, 3)), 12)
		if len(times[fixed]) == 0 || len(times[random]) == 0 || len(times[fixed])+len(times[random]) != 12 {
			t.Errorf("%s: %d and %d times", s.name, len(times[fixed]), len(times[random]))
		}
		if s.leaks {
			leaks++
		}
	}
	if len(all) < 12 || leaks < 2 {
		t.Errorf("%d subjects, %d of which leak on purpose", len(all), leaks)
	}
}

// A class's input is always the same one, or never.
func TestDraw(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for class, same := range []bool{fixed: true, random: false} {
		first, second := draw(r, class, 50), draw(r, class, 50)
		if bytes.Equal(first, second) != same {
			t.Errorf("class %d draws %x, then %x", class, first, second)
		}
	}
}
