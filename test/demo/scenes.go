package demo

// Scenes is the story, in order.
func Scenes() []Scene {
	return []Scene{
		spread(),
		timetable(),
		scaleIn(),
		migration(),
		releases(),
		kinds(),
		component(),
		fedhpa(),
		estimate(),
	}
}
