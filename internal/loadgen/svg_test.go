package loadgen

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// element is any element of a plot.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []element  `xml:",any"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func draw(t *testing.T, title string, reports ...*Report) element {
	t.Helper()
	var out strings.Builder
	if err := WriteSVG(&out, title, reports...); err != nil {
		t.Fatal(err)
	}
	var root element
	dec := xml.NewDecoder(strings.NewReader(out.String()))
	if err := dec.Decode(&root); err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if _, space := token.(xml.CharData); err != nil || !space {
			t.Fatalf("after the drawing: %v, %v", token, err)
		}
	}
	if root.XMLName.Space != "http://www.w3.org/2000/svg" || root.XMLName.Local != "svg" {
		t.Errorf("root is %v", root.XMLName)
	}
	return root
}

// points are the coordinates of a curve.
func points(t *testing.T, e element) (all [][2]float64) {
	t.Helper()
	for _, p := range strings.Fields(e.attr("points")) {
		var x, y float64
		if _, err := fmt.Sscanf(p, "%g,%g", &x, &y); err != nil {
			t.Fatal(err)
		}
		all = append(all, [2]float64{x, y})
	}
	return all
}

// TestWriteSVG: the plot is XML, its curve rises from the first percentile to
// the last within the frame, every bar is inside, and names are escaped.
func TestWriteSVG(t *testing.T) {
	r := sample()
	root := draw(t, "a < b", r, sample())
	width, _ := strconv.ParseFloat(root.attr("width"), 64)
	height, _ := strconv.ParseFloat(root.attr("height"), 64)
	var texts []string
	curves, bars := 0, 0
	for _, e := range root.Children {
		switch e.XMLName.Local {
		case "text":
			texts = append(texts, e.Text)
		case "polyline":
			curves++
			curve := points(t, e)
			for i, p := range curve {
				if p[0] < 0 || p[0] > width || p[1] < 0 || p[1] > height {
					t.Errorf("point %v is outside", p)
				}
				if i > 0 && (p[0] < curve[i-1][0] || p[1] > curve[i-1][1]) {
					t.Errorf("the curve falls from %v to %v", curve[i-1], p)
				}
			}
			// From 1 to 1,000 ms on a scale from 0 to 1,200: a little above 1,000 would not fit below it.
			if rise := curve[0][1] - curve[len(curve)-1][1]; len(curve) < 100 || math.Abs(rise-plotHeight*999/1200) > 1 {
				t.Errorf("%d points rise by %g", len(curve), rise)
			}
		case "rect":
			if e.attr("fill") != "#fff" {
				bars++
			}
			for _, name := range []string{"width", "height"} {
				if v, err := strconv.ParseFloat(e.attr(name), 64); err != nil || v < 0 || v > max(width, height) {
					t.Errorf("%s of a bar is %q", name, e.attr(name))
				}
			}
		}
	}
	if curves != 2 || bars != 2*len(r.Throughput) {
		t.Errorf("%d curves, %d bars for %d points", curves, bars, len(r.Throughput))
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"a < b", r.Name, "latency, ms", "signatures a second", "0%", "90%", "99%", "99.9%", "1000"} {
		if !strings.Contains(all, want) {
			t.Errorf("no text %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "99.99%") {
		t.Error("an axis to 99.99 % for 1,000 operations")
	}
}

// TestWriteSVGOfNothing: a report in which nothing happened is drawn, with no
// number that is none.
func TestWriteSVGOfNothing(t *testing.T) {
	for name, r := range map[string]*Report{
		"empty":     {Unit: "keys"},
		"from JSON": {Unit: "keys", Done: 3, Latency: Latency{Max: 2}, Throughput: []Point{{0, 0, 0}}},
		"odd name":  {Name: "\x00\xff]]>", Unit: "&"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range draw(t, name, r).Children {
				for _, a := range e.Attrs {
					if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
						t.Errorf("%s has %s=%q", e.XMLName.Local, a.Name.Local, a.Value)
					}
				}
			}
		})
	}
	if err := WriteSVG(brokenWriter{}, "", sample()); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestNiceStep(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, -1: 1, math.Inf(1): 1, 1: 0.2, 5: 1, 7: 2, 1000: 200, 1201: 500, 30: 5, 0.04: 0.01} {
		if got := niceStep(v); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%g: step %g, want %g", v, got, want)
		}
	}
	if got := niceStep(math.NaN()); got != 1 {
		t.Errorf("NaN: step %g", got)
	}
}

// TestCurveStartsAtTheFastest: below the first operation there is nothing to
// draw, and certainly not a latency of zero.
func TestCurveStartsAtTheFastest(t *testing.T) {
	r := newRecorder(&Load{})
	for range 10 {
		r.begin()
		r.done(1, 100*time.Millisecond)
	}
	for _, e := range draw(t, "", r.report(&Load{})).Children {
		if e.XMLName.Local != "polyline" {
			continue
		}
		curve := points(t, e)
		if low, high := curve[0][1], curve[len(curve)-1][1]; math.Abs(low-high) > 1 {
			t.Errorf("ten equal latencies make a curve from %g to %g", low, high)
		}
	}
}
