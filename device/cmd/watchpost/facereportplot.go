package main

import (
	"bytes"
	"fmt"
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/watchpost/watchpost/device/biometric/demographic"
	"github.com/watchpost/watchpost/device/fault"
)

// drawReport draws FMR above FNMR, a point with its interval for each group
// and for everybody, and a line at the FMR stated. The format follows from the
// extension.
func drawReport(path string, r demographic.Report, stated float64) error {
	rows := append(append([]demographic.Group(nil), r.Groups...), r.All)
	rows[len(rows)-1].Name = "all"
	width := vg.Length(160+70*len(rows)) * vg.Points(1)
	plots := make([][]*plot.Plot, 2)
	for i, c := range []struct {
		title string
		rate  func(demographic.Group) demographic.Rate
		line  float64
	}{
		{fmt.Sprintf("FMR (line: the %g stated)", stated), func(g demographic.Group) demographic.Rate { return g.FMR }, stated},
		{"FNMR (line: everybody)", func(g demographic.Group) demographic.Rate { return g.FNMR }, r.All.FNMR.Value},
	} {
		p, err := ratesPlot(rows, c.title, c.rate, c.line)
		if err != nil {
			return fault.Wrap("report.picture", err)
		}
		plots[i] = []*plot.Plot{p}
	}
	canvas, err := draw.NewFormattedCanvas(width, 460, strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), "."))
	if err != nil {
		return fault.Wrap("report.picture", err)
	}
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 12, PadY: 14}
	aligned := plot.Align(plots, tiles, draw.New(canvas))
	for i := range plots {
		plots[i][0].Draw(aligned[i][0])
	}
	var picture bytes.Buffer
	if _, err := canvas.WriteTo(&picture); err != nil {
		return fault.Wrap("report.picture", err)
	}
	return replaceFile(path, picture.Bytes())
}

func ratesPlot(rows []demographic.Group, title string, rate func(demographic.Group) demographic.Rate, line float64) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.Y.Min = 0
	var names []string
	var points intervals
	for i, g := range rows {
		v := rate(g)
		if v.Of == 0 {
			names = append(names, g.Name+"\nno pairs")
			continue
		}
		names = append(names, fmt.Sprintf("%s\n%d pairs", g.Name, v.Of))
		points.XYs = append(points.XYs, plotter.XY{X: float64(i), Y: v.Value})
		points.YErrors = append(points.YErrors, struct{ Low, High float64 }{v.Value - v.Low, v.High - v.Value})
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.5, float64(len(rows))-0.5
	if len(points.XYs) > 0 {
		marks, err := plotter.NewScatter(points)
		if err != nil {
			return nil, err
		}
		marks.Shape, marks.Radius = draw.CircleGlyph{}, 3
		bars, err := plotter.NewYErrorBars(points)
		if err != nil {
			return nil, err
		}
		p.Add(marks, bars)
	}
	level, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: line}, {X: p.X.Max, Y: line}})
	if err != nil {
		return nil, err
	}
	level.Color, level.Dashes = color.Gray{Y: 110}, []vg.Length{4, 3}
	p.Add(level)
	return p, nil
}

// intervals are points with errors up and down.
type intervals struct {
	plotter.XYs
	plotter.YErrors
}
