package bench

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The measures of the plot, in pixels of SVG.
const (
	plotWidth  = 880
	plotLeft   = 330 // where the bars begin
	plotUnit   = 280 // the length of a bar that reaches exactly its target
	plotMost   = 1.3 // longer bars are cut here, in units
	plotTop    = 58
	plotRow    = 24
	plotGap    = 10 // above the tasks but the first
	plotBar    = 14
	plotBottom = 14
)

// plotStyle has colours for light and dark pages, which whoever shows the plot
// chooses between.
const plotStyle = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .head { font-weight: 600; font-size: 15px; }
  .task { font-weight: 600; }
  .weak { fill: #59636e; }
  .met { fill: #1a7f64; }
  .not { fill: #c2410c; }
  .target { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3; }
  .page { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .weak { fill: #9198a1; }
    .met { fill: #3fb68b; }
    .not { fill: #f0883e; }
    .target { stroke: #e6edf3; }
    .page { fill: #0d1117; }
  }
`

// Plot returns the targets of a report as SVG, task by task: a bar for each, as
// long as what was measured is of what is allowed, and one line where all
// targets are.
func (r Report) Plot() string {
	var rows strings.Builder
	y := plotTop
	for _, s := range r.Scenarios {
		fmt.Fprintf(&rows, `<text class="task" x="16" y="%d">%s</text>`+"\n", y+plotBar-2, escaped(s.ID+". "+s.Title))
		y += plotRow
		for _, t := range s.Targets {
			plotTarget(&rows, t, y)
			y += plotRow
		}
		y += plotGap
	}
	line := plotLeft + plotUnit
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="What was measured beside its target">`, plotWidth, y+plotBottom)
	fmt.Fprintf(&b, "\n<style>%s</style>\n", plotStyle)
	b.WriteString(`<rect class="page" width="100%" height="100%"/>` + "\n")
	b.WriteString(`<text class="head" x="16" y="26">What was measured, as a share of what is allowed</text>` + "\n")
	fmt.Fprintf(&b, `<text class="weak" x="%d" y="48" text-anchor="middle">target</text>`+"\n", line)
	b.WriteString(rows.String())
	fmt.Fprintf(&b, `<line class="target" x1="%d" y1="54" x2="%d" y2="%d"/>`+"\n</svg>\n", line, line, y)
	return b.String()
}

func plotTarget(b *strings.Builder, t Target, y int) {
	class := "met"
	if !t.Met() {
		class = "not"
	}
	length := int(min(t.Share(), plotMost) * plotUnit)
	base := y + plotBar - 2
	fmt.Fprintf(b, `<text x="32" y="%d">%s</text>`+"\n", base, escaped(t.What))
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="2"/>`+"\n", class, plotLeft, y, max(length, 2), plotBar)
	// The figures stand behind the bar, and never on the line of the target.
	x := plotLeft + max(length, plotUnit) + 10
	fmt.Fprintf(b, `<text x="%d" y="%d">%s <tspan class="weak">(%s)</tspan></text>`+"\n", x, base, escaped(t.figure(t.Value)), escaped(t.wanted()))
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
