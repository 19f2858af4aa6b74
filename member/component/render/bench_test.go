package render

import "testing"

// BenchmarkRender renders the corpus' components with all templates in turn; 300 us each is the aim.
func BenchmarkRender(b *testing.B) {
	templates := sampleTemplates(b)
	for name, fields := range map[string]string{
		"minimal": "", "detailed": "{ingress: {host: a.example.com}, env: [{name: A, value: b}], resources: {requests: {cpu: 1}}}",
	} {
		component := with(b, fields)
		for with, list := range map[string]int{"no templates": 0, "4 templates": len(templates)} {
			b.Run(name+"/"+with, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := Render(component, templates[:list], zoneA); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
