package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the panel's image carries no zone files
)

const nbsp = "\u00a0"

var frenchMonths = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}

// formats writes dates, durations and sizes of one language. Times are UTC up to here, Paris on screen.
type formats struct {
	lang  string
	words *Catalogue
	now   func() time.Time
	paris *time.Location
}

func newFormats(lang string, words *Catalogue, now func() time.Time) (*formats, error) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, fmt.Errorf("loading time zone: %w", err)
	}
	return &formats{lang: lang, words: words, now: now, paris: paris}, nil
}

// Date is "3 mars 2026".
func (f *formats) Date(t time.Time) string {
	t = t.In(f.paris)
	if f.lang == English {
		return t.Format("2" + nbsp + "January 2006")
	}
	day := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		day = "1er"
	}
	return day + nbsp + frenchMonths[t.Month()-1] + " " + strconv.Itoa(t.Year())
}

// Clock is "14 h 05".
func (f *formats) Clock(t time.Time) string {
	t = t.In(f.paris)
	if f.lang == English {
		return t.Format("15:04")
	}
	return strconv.Itoa(t.Hour()) + nbsp + "h" + nbsp + t.Format("04")
}

// Second is the time of day to the second, for logs.
func (f *formats) Second(t time.Time) string { return t.In(f.paris).Format("15:04:05") }

// DateTime is "3 mars 2026 à 14 h 05".
func (f *formats) DateTime(t time.Time) (string, error) {
	return f.words.Say("time.at", f.Date(t), f.Clock(t))
}

// When is "aujourd’hui à 14 h 05", "hier à …" or the full date.
func (f *formats) When(t time.Time) (string, error) {
	switch f.daysBefore(t) {
	case 0:
		return f.words.Say("time.today", f.Clock(t))
	case 1:
		return f.words.Say("time.yesterday", f.Clock(t))
	}
	return f.DateTime(t)
}

func (f *formats) daysBefore(t time.Time) int {
	return int(midnight(f.now().In(f.paris)).Sub(midnight(t.In(f.paris))).Hours() / 24)
}

// midnight is computed in UTC so that days of 23 and 25 hours count as one.
func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// Ago is "il y a 40 secondes"; beyond a day it is the date.
func (f *formats) Ago(t time.Time) (string, error) {
	d := f.now().Sub(t)
	switch {
	case d < 5*time.Second:
		return f.words.Say("time.just-now")
	case d < time.Minute:
		return f.words.Say("time.seconds-ago", int(d.Seconds()))
	case d < time.Hour:
		return f.words.Say("time.minutes-ago", int(d.Minutes()))
	case d < 24*time.Hour:
		return f.words.Say("time.hours-ago", int(d.Hours()))
	}
	return f.When(t)
}

// Took is "0,1 s", "1 min 20 s", "2 h 05 min".
func (f *formats) Took(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return f.decimal(d.Seconds(), 1) + nbsp + "s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + nbsp + "s"
	case d < time.Hour:
		return fmt.Sprintf("%d%smin%s%d%ss", int(d.Minutes()), nbsp, nbsp, int(d.Seconds())%60, nbsp)
	}
	return fmt.Sprintf("%d%sh%s%02d%smin", int(d.Hours()), nbsp, nbsp, int(d.Minutes())%60, nbsp)
}

// Size is "3,4 Go": units of a thousand, one decimal below a hundred.
func (f *formats) Size(bytes int64) string {
	units := []string{"o", "Ko", "Mo", "Go", "To"}
	if f.lang == English {
		units = []string{"B", "KB", "MB", "GB", "TB"}
	}
	value, unit := float64(bytes), 0
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	decimals := 1
	if value >= 99.95 || unit == 0 {
		decimals = 0
	}
	return strings.TrimSuffix(f.decimal(value, decimals), f.decimalPoint()+"0") + nbsp + units[unit]
}

// Number is "1 234".
func (f *formats) Number(n int64) string { return number(f.lang, n) }

func (f *formats) decimal(v float64, decimals int) string {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', decimals, 64), ".")
	if fraction == "" {
		return group(f.lang, whole)
	}
	return group(f.lang, whole) + f.decimalPoint() + fraction
}

func (f *formats) decimalPoint() string {
	if f.lang == English {
		return "."
	}
	return ","
}

func number(lang string, n int64) string { return group(lang, strconv.FormatInt(n, 10)) }

// group sets a non-breaking space (French) or a comma (English) between thousands.
func group(lang, digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	separator := nbsp
	if lang == English {
		separator = ","
	}
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return sign + strings.Join(append([]string{digits}, groups...), separator)
}
