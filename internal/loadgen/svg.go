package loadgen

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// Sizes of a plot, in pixels.
const (
	plotWidth  = 380
	plotHeight = 200
	leftMargin = 64
	gap        = 76 // between a report's two plots, with the right one's scale
	rowHeight  = plotHeight + 120
	topMargin  = 44
)

// hdrAxis are the percentiles that the axis names. Each is as far from the
// last as that one is from its own: the tail gets the room that it needs.
var hdrAxis = []float64{0, 90, 99, 99.9, 99.99, 99.999}

// WriteSVG draws each report as two plots: latency by percentile, on the
// usual logarithmic axis, and items a second over time.
func WriteSVG(w io.Writer, title string, reports ...*Report) error {
	const width = leftMargin + plotWidth + gap + plotWidth + 24
	height := topMargin + rowHeight*len(reports)
	d := &drawing{}
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12" fill="#333">`,
		width, height, width, height)
	d.add(`<title>%s</title>`, escape(title))
	d.add(`<rect width="%d" height="%d" fill="#fff"/>`, width, height)
	d.text(leftMargin, 28, "start", 16, title)
	for i, r := range reports {
		y := float64(topMargin + i*rowHeight)
		if r.Name != "" {
			d.text(leftMargin, y+18, "start", 14, r.Name)
		}
		d.latency(frame{leftMargin, y + 48}, r)
		d.throughput(frame{leftMargin + plotWidth + gap, y + 48}, r)
	}
	d.add(`</svg>`)
	_, err := io.WriteString(w, d.out.String())
	return err
}

type drawing struct{ out strings.Builder }

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(&d.out, format+"\n", args...) }

func (d *drawing) text(x, y float64, anchor string, size int, text string) {
	d.add(`<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d">%s</text>`, x, y, anchor, size, escape(text))
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// frame is where a plot is: its upper left corner.
type frame struct{ x, y float64 }

// begin draws the frame with its heading, and the scale from 0 to at least
// largest. It returns where a value is.
func (d *drawing) begin(f frame, heading string, largest float64) (at func(v float64) float64) {
	step := niceStep(largest)
	end := step * math.Max(1, math.Ceil(largest/step))
	at = func(v float64) float64 { return f.y + plotHeight*(1-v/end) }
	d.text(f.x, f.y-8, "start", 12, heading)
	for i := 0; float64(i)*step <= end*1.0001; i++ {
		v := float64(i) * step
		d.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>`, f.x, at(v), f.x+plotWidth, at(v))
		d.text(f.x-6, at(v)+4, "end", 11, fmt.Sprintf("%.6g", v))
	}
	return at
}

// mark names a place on the horizontal axis.
func (d *drawing) mark(f frame, x float64, name string) {
	d.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#999"/>`, x, f.y+plotHeight, x, f.y+plotHeight+4)
	d.text(x, f.y+plotHeight+18, "middle", 11, name)
}

func (d *drawing) caption(f frame, text string) {
	d.text(f.x+plotWidth/2, f.y+plotHeight+36, "middle", 11, text)
}

// niceStep is 1, 2 or 5 times a power of ten, so that at most six make up v.
func niceStep(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v/6)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v/6 {
			return m * power
		}
	}
	return 10 * power
}

// nines is how far right a percentile stands: 90 at 1, 99 at 2, 99.9 at 3.
func nines(percentile float64) float64 { return -math.Log10(1 - percentile/100) }

// latency draws the curve as far as there are enough operations to tell.
func (d *drawing) latency(f frame, r *Report) {
	y := d.begin(f, "latency, ms", r.Latency.Max)
	ends := 2 // at least up to 99 %
	for ends < len(hdrAxis)-1 && nines(hdrAxis[ends]) < math.Log10(float64(r.Done)) {
		ends++
	}
	axis := nines(hdrAxis[ends])
	x := func(percentile float64) float64 { return f.x + plotWidth*math.Min(1, nines(percentile)/axis) }
	for _, p := range hdrAxis[:ends+1] {
		d.mark(f, x(p), fmt.Sprintf("%g%%", p))
	}
	d.caption(f, fmt.Sprintf("percentile of %d operations; p50 %s, p99 %s, max %s ms", r.Done,
		number(r.Latency.P50), number(r.Latency.P99), number(r.Latency.Max)))
	if r.Done == 0 || r.Histogram == nil { // a report read from JSON has no histogram
		return
	}
	const steps = 200
	var points []string
	for i := range steps + 1 {
		percentile := 100 * (1 - math.Pow(10, -axis*float64(i)/steps))
		latency := max(r.Histogram.ValueAtPercentile(percentile), r.Histogram.Min()) // below the first one it is 0
		points = append(points, fmt.Sprintf("%.1f,%.1f", x(percentile), y(ms(latency))))
	}
	d.add(`<polyline points="%s" fill="none" stroke="#0b62a4" stroke-width="2"/>`, strings.Join(points, " "))
}

// throughput draws a bar for each stretch of time.
func (d *drawing) throughput(f frame, r *Report) {
	largest, end := 0.0, 0.0
	for _, p := range r.Throughput {
		largest, end = math.Max(largest, p.PerSecond), p.To
	}
	if end <= 0 { // nothing was measured: the scale of a second
		end = 1
	}
	y := d.begin(f, r.Unit+" a second", largest)
	x := func(seconds float64) float64 { return f.x + plotWidth*seconds/end }
	step := niceStep(end)
	for i := 0; float64(i)*step <= end*1.0001; i++ {
		d.mark(f, x(float64(i)*step), fmt.Sprintf("%.6g", float64(i)*step))
	}
	d.caption(f, fmt.Sprintf("seconds; %d %s, %s a second", r.Items, r.Unit, number(r.ItemsPerSecond)))
	for _, p := range r.Throughput {
		d.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#7fb2d6" stroke="#fff" stroke-width="0.5"/>`,
			x(p.From), y(p.PerSecond), x(p.To)-x(p.From), y(0)-y(p.PerSecond))
	}
}
