package demo

// Scenes is the story, in order.
func Scenes() []Scene {
	return []Scene{
		spread(),
		timetable(),
		scaleIn(),
		migration(),
		kinds(),
		component(),
		fedhpa(),
		estimate(),
	}
}
